/* arrange.h - bits that change places when a block is packed, so that every group of 32 values is read alike whatever its type
 * (docs/formats.md, "Packed weights"). Files keep the bits of several groups in one byte; a product wants each group's for itself.
 * Every exchange here is its own inverse: packing and unpacking call the same function. Words are 4 bytes, little-endian. */
#ifndef EN_ARRANGE_H
#define EN_ARRANGE_H
#include "quant.h"

/* Exchange the bits of word a at `mask << shift` with the bits of word b at `mask`. */
static inline void en_swap_bits(uint8_t *a, uint8_t *b, int shift, uint32_t mask) {
  const uint32_t x = en_rd32(a), y = en_rd32(b), t = ((x >> shift) ^ y) & mask;
  const uint32_t new_x = x ^ t << shift, new_y = y ^ t;
  memcpy(a, &new_x, 4);
  memcpy(b, &new_y, 4);
}

/* 32 bytes with one group's codes in the low halves and another's in the high ones <-> 16 bytes of the one, 16 of the other, in each of
 * them value k in the low half of byte k and value 16 + k in its high half. */
static inline void en_arrange_halves(uint8_t *p) {
  for (int32_t w = 0; w < 4; w++) en_swap_bits(p + 4 * w, p + 4 * w + 16, 4, 0x0f0f0f0f);
}

/* A word whose bit e belongs to value e <-> a word whose byte b holds the bits of values 4g + b, g = 0..7, at bit g / 2 + g % 2 * 4. */
static inline void en_arrange_fifths(uint8_t *p) {
  uint32_t x = en_rd32(p), t = ((x >> 14) ^ x) & 0x0000cccc;
  x ^= t ^ t << 14;
  t = ((x >> 7) ^ x) & 0x00aa00aa;
  x ^= t ^ t << 7;
  memcpy(p, &x, 4);
}
#endif
