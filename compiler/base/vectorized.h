// Loops compiled once per instruction set, the fastest taken when the program starts. Results do
// not depend on the choice: there is no contraction to FMA (CMakeLists.txt) and no fast-math.
#pragma once

// Sanitizers instrument the resolver that picks a version, which runs before they are set up.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define OCTET_VECTORIZED __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define OCTET_VECTORIZED
#endif
#define OCTET_INLINE inline __attribute__((always_inline))
