/*
 * version.h - what the library OS says it is: uname, /proc/version,
 * /proc/sys/kernel.
 */
#ifndef LIBOS_VERSION_H
#define LIBOS_VERSION_H

#define LIBOS_SYSNAME "Linux"
#define LIBOS_RELEASE "6.1.0-bailey"
#define LIBOS_VERSION "#1 SMP bailey"
#define LIBOS_MACHINE "x86_64"
#define LIBOS_DOMAINNAME "(none)"

#endif
