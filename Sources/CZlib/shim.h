/* zlib as Debian packages it. deflateInit2 and inflateInit2 are macros, which Swift cannot see:
   their functions want the version and size of the header that the caller was compiled with. */
#include <zlib.h>

static inline int yijia_deflate_init(
    z_stream *stream, int level, int window_bits, int memory_level) {
  return deflateInit2(
      stream, level, Z_DEFLATED, window_bits, memory_level, Z_DEFAULT_STRATEGY);
}

static inline int yijia_inflate_init(z_stream *stream, int window_bits) {
  return inflateInit2(stream, window_bits);
}
