/*
 * hidden.h - included before everything in the library OS: all its symbols
 * are its own, so that addresses need no table.
 */
#pragma GCC visibility push(hidden)
