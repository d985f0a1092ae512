/*
 * sha1.h - SHA-1, which the WebSocket protocol asks for in its greeting
 * (RFC 6455).  It keeps no secret there, and is for nothing else.
 */
#ifndef BAILEY_SHA1_H
#define BAILEY_SHA1_H

#include <stddef.h>
#include <stdint.h>

enum { SHA1_SIZE = 20, SHA1_INPUT_MAX = 119 }; /* two blocks, padded */
void sha1(const void *data, size_t size, uint8_t out[SHA1_SIZE]);

#endif
