#include "client.h"

#include <array>
#include <boost/asio.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <vector>

#include "buffer.h"
#include "frame.h"
#include "outbox.h"
#include "worker.h"

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using std::to_string;
using Fault = std::runtime_error;

Fault refused(const fg1::Header& h) {
  return Fault("protocol error: op " + to_string(h.op) + ", flags " + to_string(h.flags) +
               ", length " + to_string(h.length));
}

// Client is one connection. The thread that calls run owns it. Workers use only
// their queues, and post to the io_context after each message. Errors are thrown
// from a handler, and so from run.
//
//   socket --read--> Input --parse--> [queue] --> Worker
//   socket <--sendmmsg-- Outbox <--collect-- [queue] <-- Worker, a post an ack
// It stops reading while the queue of the next worker is full, while the server
// accepts no acks, and while no buffer is free. Each of these ends with a finished
// message or a writable socket, and both call turn.
class Client {
 public:
  Client(int workers, const Work& work) {
    for (int i = 0; i < workers; i++) {
      workers_.push_back(std::make_unique<Worker>(
          work, [this] { asio::post(io_, [this] { turn(); }); }));
    }
  }

  Result run(const std::string& host, const std::string& port) {
    // Without a pending read or a post, the io_context would be out of work.
    const auto guard = asio::make_work_guard(io_);
    try {
      login(host, port);
    } catch (const std::exception& e) {
      throw Fault("login at " + host + " port " + port + ": " + e.what());
    }
    turn();
    io_.run();
    return result_;
  }

 private:
  void login(const std::string& host, const std::string& port) {
    asio::connect(socket_, tcp::resolver(io_).resolve(host, port));
    // Like Go: an ack is sent without waiting for TCP acks of earlier ones.
    socket_.set_option(tcp::no_delay(true));

    const std::string hello = R"({"version":1,"client":"asio"})";
    const fg1::Frame head = fg1::frame(fg1::kHello, fg1::kOK, 0, hello.size());
    asio::write(socket_, std::array{asio::buffer(head), asio::buffer(hello)});

    fg1::Frame answer;
    asio::read(socket_, asio::buffer(answer));
    const fg1::Header h = fg1::parse(answer.data());
    if (h.op != fg1::kWelcome || !h.valid()) {
      throw Fault("op " + to_string(h.op) + " with code " + to_string(h.code) +
                  " instead of WELCOME");
    }
    std::vector<unsigned char> welcome(h.payload());
    asio::read(socket_, asio::buffer(welcome));
  }

  // turn does everything that does not block.
  void turn() {
    send();
    if (!reading_ && !bye_) {
      const bool all = parse();
      send();  // PONGs
      if (all && !bye_) read();
    }
    if (bye_ && inFlight_ == 0 && outbox_.empty()) goodbye();
  }

  void read() {
    if (!input_.makeSpace()) return;
    reading_ = true;
    socket_.async_read_some(
        asio::buffer(input_.space(), input_.spaceSize()), [this](error_code err, std::size_t n) {
          if (err == asio::error::eof) throw Fault("connection lost before BYE");
          if (err) throw Fault("receive: " + err.message());
          reading_ = false;
          input_.received(n);
          turn();
        });
  }

  // parse processes all complete frames. It returns false if there was no space for
  // one; the next turn begins with it.
  bool parse() {
    bool taken = true;
    while (!bye_ && input_.size() >= fg1::kHeaderSize) {
      const fg1::Header h = fg1::parse(input_.data());
      if (h.flags != 0 || !h.valid()) throw refused(h);
      if (input_.size() < h.size()) break;
      taken = take(h);
      if (!taken) break;
      input_.parsed(h.size());
    }
    for (const auto& w : workers_) w->wake();
    return taken;
  }

  // take processes the first frame of the input. It returns false if a queue or the
  // outbox is full.
  bool take(const fg1::Header& h) {
    switch (h.op) {
      case fg1::kData: {
        Worker& worker = *workers_[next_];
        if (!worker.hasRoom()) return false;
        worker.give({h.seq, input_.data() + fg1::kHeaderSize, h.payload(), input_.use()});
        if (++next_ == workers_.size()) next_ = 0;
        inFlight_++;
        result_.messages++;
        result_.bytes += h.payload();
        return true;
      }
      case fg1::kPing:
        if (outbox_.full()) return false;
        outbox_.add(fg1::frame(fg1::kPong, fg1::kOK, h.seq));
        return true;
      case fg1::kPong:
        return true;
      case fg1::kBye:
        if (h.code != fg1::kOK && h.code != fg1::kShuttingDown) {
          throw Fault("server said BYE with code " + to_string(h.code));
        }
        bye_ = true;
        return true;
      default:
        throw refused(h);
    }
  }

  // send sends the available acks, as far as the socket accepts them.
  void send() {
    while (writable_) {
      collect();
      if (outbox_.empty()) return;
      if (outbox_.send(socket_.native_handle())) continue;
      writable_ = false;
      socket_.async_wait(tcp::socket::wait_write, [this](error_code err) {
        if (err) throw Fault("waiting to send: " + err.message());
        writable_ = true;
        turn();
      });
    }
  }

  // collect fills the outbox up to one sendmmsg. Other acks stay in the queue of
  // their worker and count as in flight, which stops reading while the server
  // accepts no acks.
  void collect() {
    std::array<Done, Outbox::kMessages> done;
    for (const auto& w : workers_) {
      const std::size_t n = w->take(done.data(), outbox_.spare());
      for (std::size_t i = 0; i < n; i++) {
        outbox_.add(fg1::frame(fg1::kAck, fg1::kOK, done[i].seq));
        input_.release(done[i].buffer);
      }
      inFlight_ -= n;
    }
  }

  // goodbye is called whenever nothing is left to send. It closes without a reset,
  // which could discard acks in the socket: the server reads them all before it
  // closes.
  void goodbye() {
    if (!said_) {
      said_ = true;
      outbox_.add(fg1::frame(fg1::kBye, fg1::kOK, 0));
      send();
    }
    if (!outbox_.empty() || closing_) return;
    closing_ = true;
    socket_.shutdown(tcp::socket::shutdown_send);
    discard();
    patience_.expires_after(kPatience);
    patience_.async_wait([](error_code) { throw Fault("the server does not close"); });
  }

  // discard reads to the end of the stream.
  void discard() {
    socket_.async_read_some(asio::buffer(rest_), [this](error_code err, std::size_t) {
      if (err == asio::error::eof) {
        io_.stop();
        return;
      }
      if (err) throw Fault("waiting for the server to close: " + err.message());
      discard();
    });
  }

  static constexpr std::chrono::seconds kPatience{5};  // for the server's close

  asio::io_context io_{1};  // one thread runs it
  tcp::socket socket_{io_};
  asio::steady_timer patience_{io_};
  std::array<unsigned char, 4096> rest_;

  Input input_;
  Outbox outbox_;
  Result result_;
  std::size_t inFlight_ = 0;  // messages of workers, including done ones not yet in the outbox
  std::size_t next_ = 0;      // the next worker

  bool reading_ = false;   // a read is pending
  bool writable_ = true;   // false: a wait for writability is pending
  bool bye_ = false;       // the server has sent BYE
  bool said_ = false;      // our BYE is in the outbox, or sent
  bool closing_ = false;   // everything is sent, and the sending side closed

  // Last: their threads post to io_ and read buffers of input_ until they end.
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace

Result runClient(const std::string& host, const std::string& port, int workers, const Work& work) {
  return Client(workers, work).run(host, port);
}
