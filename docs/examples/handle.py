import struct, sys

while header := sys.stdin.buffer.read(4):
    message = sys.stdin.buffer.read(struct.unpack(">I", header)[0])
    code = 0 if len(message) < 1000 else 2  # your work goes here
    sys.stdout.buffer.write(struct.pack(">H", code))
    sys.stdout.buffer.flush()
