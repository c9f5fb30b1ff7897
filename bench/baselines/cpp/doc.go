// Package cpp holds what a user would write in C++ instead of a gateway, as
// programs that make baselines builds from src with Debian's libboost-dev; there is no
// Go in it but the tests, which build them too.
//
//	feedgate-asio  subject asio: Boost.Asio, boost::lockfree::spsc_queue, a post an ack
//	feedgate-spsc  boost::lockfree::spsc_queue alone, for the benchmarks of package ring
//
// feedgate-asio reads in bulk into buffers that messages stay in, passes each to the
// next of its workers over a queue, and gets it back over another. A worker posts to
// the io_context after each message; the handler empties the queues into calls of
// sendmmsg, 32 acks each, one in a message of its own. Nothing spins: a worker
// without tasks sleeps. The socket has TCP_NODELAY, as every socket of Go's has and
// as latency wants it; without it the kernel packs the acks itself, and the rate is
// about three times as high. Command line and standard streams are those of every
// subject of feedgate bench.
//
// The tests take the compiler from CXX and its flags from CXXFLAGS:
//
//	CXXFLAGS='-g -O1 -fsanitize=thread -Wno-tsan' go test -C bench ./baselines/cpp
//	CXXFLAGS='-g -O1 -fsanitize=address,undefined' go test -C bench ./baselines/cpp
package cpp
