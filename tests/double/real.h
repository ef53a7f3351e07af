/* real.h - put before every source of tests/double: the core with double in the place of float. Files hold "F32" numbers of 8 bytes then; en_f32 is what
 * stays single (base.h): values among a file's keys, halves. Only plain C and F32 models make sense in such a build. */
#ifndef EN_REAL_H
#define EN_REAL_H
#define _GNU_SOURCE
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
typedef float en_f32;
#define EN_F32_DEFINED
#define float double
#define sqrtf sqrt
#define expf exp
#define logf log
#define tanhf tanh
#define fabsf fabs
#define strtof strtod
#endif
