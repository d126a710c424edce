/* libnghttp2 as Debian packages it; no logic here. */
#include <nghttp2/nghttp2.h>
