/* libqrencode as Debian packages it, built with pthread: safe on any thread. */
#include <qrencode.h>
