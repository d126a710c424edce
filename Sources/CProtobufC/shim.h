#include <protobuf-c/protobuf-c.h>

/* What the generated tables say to the wire check, in a word that libprotobuf-c reserves and does
   not read: ProtobufCFieldDescriptor.reserved_flags. `string` is mapped to the runtime's bytes
   type, which keeps length and NUL, so the tables must say what is text.
   ProtobufCMessageDescriptor.reserved1 holds the bytes of the Swift value, as estimated. */
#define YIJIA_ONEOF(index) (1 + (index)) /* in the low byte; 0 outside of a oneof */
#define YIJIA_VARINT 0x0000              /* bits 8 to 10: the wire type of one value */
#define YIJIA_FIXED64 0x0100
#define YIJIA_LENGTH 0x0200
#define YIJIA_FIXED32 0x0500
#define YIJIA_REPEATED 0x1000
#define YIJIA_TEXT 0x2000
#define YIJIA_MESSAGE 0x4000
