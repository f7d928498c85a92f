// Streams of random numbers as docs/random.md fixes them: Philox4x32-10, uniforms, normals, signs. Bit for bit those of
// @frugal/tensor; compile with -ffp-contract=off, as each operation has to be rounded on its own.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

// One version per instruction set, chosen when the library is loaded: the file may be used on another machine.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define FRUGAL_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define FRUGAL_CLONES
#endif

namespace frugal {

constexpr int kBlocks = 64;            // blocks that are made together
constexpr int kWords = 4 * kBlocks;

struct Key {
  uint32_t hi, lo;
};

// Words of kBlocks consecutive blocks, in the order of the stream.
FRUGAL_CLONES inline void Blocks(Key key, uint64_t first, uint32_t *words) {
  uint32_t c0[kBlocks], c1[kBlocks], c2[kBlocks], c3[kBlocks];
  for (int i = 0; i < kBlocks; i++) {
    c0[i] = static_cast<uint32_t>(first + i);
    c1[i] = static_cast<uint32_t>((first + i) >> 32);
    c2[i] = 0;
    c3[i] = 0;
  }
  uint32_t k0 = key.lo, k1 = key.hi;
  for (int round = 0; round < 10; round++) {
    for (int i = 0; i < kBlocks; i++) {
      const uint64_t p0 = static_cast<uint64_t>(0xD2511F53u) * c0[i];
      const uint64_t p1 = static_cast<uint64_t>(0xCD9E8D57u) * c2[i];
      const uint32_t n0 = static_cast<uint32_t>(p1 >> 32) ^ c1[i] ^ k0;
      const uint32_t n2 = static_cast<uint32_t>(p0 >> 32) ^ c3[i] ^ k1;
      c1[i] = static_cast<uint32_t>(p1);
      c3[i] = static_cast<uint32_t>(p0);
      c0[i] = n0;
      c2[i] = n2;
    }
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  for (int i = 0; i < kBlocks; i++) {
    words[4 * i] = c0[i];
    words[4 * i + 1] = c1[i];
    words[4 * i + 2] = c2[i];
    words[4 * i + 3] = c3[i];
  }
}

FRUGAL_CLONES inline void Uniforms(const uint32_t *words, float *out) {
  for (int i = 0; i < kWords; i++) out[i] = static_cast<float>(static_cast<int32_t>(words[i] >> 8)) * 0x1p-24f;
}

// Box–Muller in doubles, rounded once; only operations that IEEE 754 fixes, no branch.
FRUGAL_CLONES inline void Normals(const uint32_t *words, float *out) {
  constexpr double A0 = -4.000000474748008, A1 = -1.333044474005948, A2 = -0.8259274572882745;
  constexpr double TWO_LN2 = 1.3862943611198906;
  constexpr double S0 = 0.7853981608541711, S1 = -0.08074543252915636, S2 = 0.002490001024036513;
  constexpr double S3 = -0.00003595045225769754;
  constexpr double C0 = 0.9999999673862997, C1 = -0.3084241655891756, C2 = 0.01584968416853886;
  constexpr double C3 = -0.00031872784048311126;
  float first[kWords / 2], second[kWords / 2];
  for (int i = 0; i < kWords / 2; i++) {
    const float n = static_cast<float>(static_cast<int32_t>(words[2 * i] >> 8) + 1);
    uint32_t bits;
    std::memcpy(&bits, &n, 4);
    const uint32_t moved = bits + (0x3F800000u - 0x3F3504F3u);
    const double e = 24 - (static_cast<int32_t>(moved >> 23) - 127);
    const uint32_t significand = (moved & 0x7FFFFFu) + 0x3F3504F3u;
    float mf;
    std::memcpy(&mf, &significand, 4);
    const double m = mf;
    const double s = (m - 1) / (m + 1);
    const double s2 = s * s;
    const double r = std::sqrt(e * TWO_LN2 + s * (A0 + s2 * (A1 + s2 * A2)));

    const int32_t t = static_cast<int32_t>(words[2 * i + 1] >> 8);
    const int32_t quadrant = (t + 0x200000) >> 22;
    const int32_t rest = t - (quadrant << 22);
    const int32_t flip = -(((quadrant + 1) >> 1) & 1);
    const double y = ((rest ^ flip) - flip) * 0x1p-21;
    const double y2 = y * y;
    const double y4 = y2 * y2;
    const double sine = y * ((S0 + S1 * y2) + y4 * (S2 + S3 * y2));
    const double cosine = (C0 + C1 * y2) + y4 * (C2 + C3 * y2);
    const float a = static_cast<float>(r * (cosine * (1 - (quadrant & 2))));
    const float b = static_cast<float>(r * sine);
    first[i] = quadrant & 1 ? b : a;
    second[i] = quadrant & 1 ? a : b;
  }
  for (int i = 0; i < kWords / 2; i++) {
    out[2 * i] = first[i];
    out[2 * i + 1] = second[i];
  }
}

// Signs: 32 from a word, +1 or −1 by its bits from the lowest on.
FRUGAL_CLONES inline void Signs(const uint32_t *words, float *out) {
  for (int i = 0; i < kWords; i++) {
    uint32_t bits[32];
    for (int b = 0; b < 32; b++) bits[b] = 0x3F800000u | ((words[i] >> b) << 31);
    std::memcpy(out + 32 * i, bits, sizeof bits);
  }
}

// Elements begin … end of a stream, on one thread.
inline void FillPart(uint32_t kind, Key key, uint64_t offset, char *data, size_t begin, size_t end) {
  const size_t per = kind == 3 ? 32 * kWords : kWords;   // elements of kBlocks blocks
  uint32_t words[kWords];
  std::vector<float> chunk(per);
  for (size_t done = begin; done < end;) {
    const uint64_t element = offset + done;
    const uint64_t group = element / per;
    const size_t skip = static_cast<size_t>(element - group * per);
    const size_t take = std::min(per - skip, end - done);
    Blocks(key, group * kBlocks, words);
    char *const to = data + 4 * done;
    if (kind == 0) {
      std::memcpy(to, words + skip, 4 * take);
    } else {
      float *const target = take == per ? reinterpret_cast<float *>(to) : chunk.data();
      if (kind == 1) Uniforms(words, target);
      if (kind == 2) Normals(words, target);
      if (kind == 3) Signs(words, target);
      if (take < per) std::memcpy(to, target + skip, 4 * take);
    }
    done += take;
  }
}

inline void Fill(uint32_t kind, uint32_t hi, uint32_t lo, uint64_t offset, void *out, size_t length, size_t part,
                 unsigned most) {
  const Key key{hi, lo};
  char *const data = static_cast<char *>(out);
  const size_t cores = std::max(1u, std::min(most, std::thread::hardware_concurrency()));
  const size_t threads = std::max<size_t>(1, std::min(cores, length / (kind == 3 ? 8 * part : part)));
  std::vector<std::thread> workers;
  for (size_t i = 1; i < threads; i++) {
    workers.emplace_back(FillPart, kind, key, offset, data, length * i / threads, length * (i + 1) / threads);
  }
  FillPart(kind, key, offset, data, 0, length / threads);
  for (std::thread &worker : workers) worker.join();
}

}  // namespace frugal
