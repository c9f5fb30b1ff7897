// Package cpp has the C++ clients that a user would write instead of a gateway. make baselines
// builds them from src with Debian's libboost-dev. The package's only Go code is its tests, which
// also build them.
//
//	feedgate-asio  subject asio: Boost.Asio, boost::lockfree::spsc_queue, one post per ack
//	feedgate-spsc  boost::lockfree::spsc_queue alone, for the benchmarks of package ring
//
// feedgate-asio reads in bulk into buffers in which messages stay, passes each to the next worker
// over a queue, and gets it back over another one. A worker posts to the io_context after each
// message; the handler empties the queues into calls of sendmmsg with up to 32 messages of one ack
// each. Nothing spins: a worker without tasks sleeps. The socket has TCP_NODELAY, like every Go
// socket, for low latency; without it the kernel would pack the acks, and the rate would be about
// three times as high. Command line and standard streams are those of every subject of feedgate
// bench.
//
// The tests take the compiler from CXX and its flags from CXXFLAGS:
//
//	CXXFLAGS='-g -O1 -fsanitize=thread -Wno-tsan' go test -C bench ./baselines/cpp
//	CXXFLAGS='-g -O1 -fsanitize=address,undefined' go test -C bench ./baselines/cpp
package cpp
