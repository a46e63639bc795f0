// SPDX-License-Identifier: Apache-2.0
#include "ctl/smlink/session.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <charconv>
#include <deque>
#include <optional>

namespace stem::smlink {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using asio::ip::tcp;
using boost::system::error_code;
using channel::MessageType;

constexpr std::size_t max_queued_octets = 16U * 1024U * 1024U;
constexpr std::size_t part_of_message = 65536; // octets that are read at a time

// "host:port", the host perhaps in brackets.
std::pair<std::string, std::string> split(const std::string& server) {
    const auto colon = server.rfind(':');
    std::string host = server.substr(0, colon);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
        host = host.substr(1, host.size() - 2);
    }
    return {host, colon == std::string::npos ? "" : server.substr(colon + 1)};
}

} // namespace

class Session::Wire : public std::enable_shared_from_this<Wire> {
  public:
    Wire(asio::io_context& loop, const Settings& settings, std::shared_ptr<tls::Credentials> credentials,
         channel::RefusalCounts& counts, SessionOwner& owner)
        : owner_(&owner), settings_(settings), credentials_(std::move(credentials)), resolver_(loop),
          deadline_(loop), socket_(beast::tcp_stream(loop), credentials_->context()),
          channel_(
              channel::Sender::manager, {.skew = settings.skew},
              [] { return std::chrono::system_clock::now(); }, counts,
              [](const channel::Refused& refused) {
                  spdlog::warn("audit: refused message {} of the Security Manager, type {}: {}: {}",
                               refused.sequence, refused.type, label_of(refused.reason), refused.detail);
              }) {}

    void connect(const std::string& server, const channel::Hello& hello);
    void let_go() { owner_ = nullptr; }
    void end(const std::string& why);
    void send(MessageType type, std::string_view id, const boost::json::object& body);
    void refuse(const channel::Refused& refused);

    [[nodiscard]] channel::Channel& channel() { return channel_; }
    [[nodiscard]] bool ready() const { return ready_ && !over_; }
    [[nodiscard]] const tls::Peer* peer() const { return peer_ ? &*peer_ : nullptr; }
    [[nodiscard]] std::chrono::steady_clock::time_point heard() const { return heard_; }

  private:
    void resolved(error_code error, const tcp::resolver::results_type& found);
    void connected(error_code error);
    void shaken(error_code error);
    void upgraded(error_code error, const websocket::response_type& response);
    void read();
    void received(error_code error);
    void take(std::string_view text);
    void write();

    SessionOwner* owner_;
    Settings settings_;
    std::shared_ptr<tls::Credentials> credentials_;
    tcp::resolver resolver_;
    asio::steady_timer deadline_; // of the way to ready
    websocket::stream<beast::ssl_stream<beast::tcp_stream>> socket_;
    channel::Channel channel_;
    channel::Hello hello_;
    std::string host_;
    std::optional<tls::Peer> peer_;
    websocket::response_type response_;
    beast::flat_buffer buffer_;
    std::deque<std::string> queue_;
    std::size_t queued_octets_ = 0;
    std::chrono::steady_clock::time_point heard_ = std::chrono::steady_clock::now();
    bool writing_ = false;
    bool ready_ = false;
    bool over_ = false;
};

void Session::Wire::connect(const std::string& server, const channel::Hello& hello) {
    hello_ = hello;
    const auto [host, port] = split(server);
    host_ = host;
    deadline_.expires_after(settings_.connect_timeout);
    deadline_.async_wait([self = shared_from_this()](error_code error) {
        if (!error && !self->ready_) {
            self->end("no connection in time");
        }
    });
    error_code not_numeric;
    const auto address = asio::ip::make_address(host, not_numeric);
    std::uint16_t number = 0;
    const auto digits = std::from_chars(port.data(), port.data() + port.size(), number);
    if (!not_numeric && digits.ec == std::errc()) { // no thread for a look-up of what is known
        resolved({}, tcp::resolver::results_type::create(tcp::endpoint(address, number), host, port));
        return;
    }
    resolver_.async_resolve(host, port, [self = shared_from_this()](error_code error, const auto& found) {
        self->resolved(error, found);
    });
}

void Session::Wire::resolved(error_code error, const tcp::resolver::results_type& found) {
    if (over_ || error) {
        end("look up " + host_ + ": " + error.message());
        return;
    }
    beast::get_lowest_layer(socket_).async_connect(
        found, [self = shared_from_this()](error_code failed, const tcp::endpoint& /*endpoint*/) {
            self->connected(failed);
        });
}

void Session::Wire::connected(error_code error) {
    if (over_ || error) {
        end("connect: " + error.message());
        return;
    }
    error_code ignored;
    beast::get_lowest_layer(socket_).socket().set_option(tcp::no_delay(true), ignored);
    socket_.next_layer().async_handshake(
        asio::ssl::stream_base::client,
        [self = shared_from_this()](error_code failed) { self->shaken(failed); });
}

void Session::Wire::shaken(error_code error) {
    if (over_ || error) {
        end("TLS handshake: " + error.message());
        return;
    }
    auto peer = tls::peer_of(socket_.next_layer().native_handle());
    if (!peer || peer->identity.role != pki::Role::server) {
        end(peer ? "it is no Security Manager, but " + peer->identity.text() : peer.error().message());
        return;
    }
    peer_.emplace(std::move(*peer));
    websocket::stream_base::timeout limits{};
    limits.handshake_timeout = settings_.connect_timeout;
    limits.idle_timeout = websocket::stream_base::none(); // our owner looks after it
    limits.keep_alive_pings = false;
    socket_.set_option(limits);
    socket_.read_message_max(0); // received() has the limit
    socket_.auto_fragment(false);
    socket_.async_handshake(response_, host_, "/v1/channel", [self = shared_from_this()](error_code failed) {
        self->upgraded(failed, self->response_);
    });
}

void Session::Wire::upgraded(error_code error, const websocket::response_type& response) {
    if (over_ || error) {
        end(error == websocket::error::upgrade_declined
                ? fmt::format("the Security Manager refused the channel: status {}", response.result_int())
                : "begin the channel: " + error.message());
        return;
    }
    send(MessageType::hello, channel_.fresh_id(), to_body(hello_));
    read();
}

// A part at a time, for the reason that FirewallSession::read() has.
void Session::Wire::read() {
    socket_.async_read_some(
        buffer_, part_of_message,
        [self = shared_from_this()](error_code error, std::size_t /*octets*/) { self->received(error); });
}

void Session::Wire::received(error_code error) {
    if (over_) {
        return;
    }
    if (error) {
        end(error.message());
        return;
    }
    if (buffer_.size() > channel::default_message_limit) {
        refuse(channel_.refuse(channel::Refusal::oversized,
                               fmt::format("more than {} octets", channel::default_message_limit)));
        return;
    }
    if (!socket_.is_message_done()) {
        read();
        return;
    }
    const auto data = buffer_.cdata();
    take({static_cast<const char*>(data.data()), data.size()});
    buffer_.consume(buffer_.size());
    if (!over_) {
        read();
    }
}

void Session::Wire::take(std::string_view text) {
    const auto message = channel_.accept(text);
    // Whose clock is wrong is not there: after a while its connection ends.
    if (message || message.error().in_time) {
        heard_ = std::chrono::steady_clock::now();
    }
    if (!message) {
        refuse(message.error());
        return;
    }
    if (*message->type != MessageType::hello) {
        if (owner_ != nullptr) {
            owner_->on_message(*message);
        }
        return;
    }
    const auto hello = channel::hello_from(message->body);
    if (!hello) {
        static_cast<void>(channel_.refuse(channel::Refusal::body, hello.error().message(), &*message));
        end("its hello is broken: " + hello.error().message());
        return;
    }
    ready_ = true;
    deadline_.cancel();
    if (owner_ != nullptr) {
        owner_->on_ready(*hello);
    }
}

void Session::Wire::send(MessageType type, std::string_view id, const boost::json::object& body) {
    if (over_) {
        return;
    }
    queue_.push_back(channel_.make(type, id, body));
    queued_octets_ += queue_.back().size();
    if (queued_octets_ > max_queued_octets) {
        static_cast<void>(channel_.refuse(channel::Refusal::slow_reader, "too much waits for it"));
        end("it does not take in what is sent");
        return;
    }
    write();
}

void Session::Wire::refuse(const channel::Refused& refused) {
    if (refused.answer) {
        send(MessageType::refused, refused.id.empty() ? "-" : refused.id, to_body(refused));
    }
    if (refused.close) {
        end(fmt::format("a message of it was refused: {}: {}", label_of(refused.reason), refused.detail));
    }
}

void Session::Wire::write() {
    if (writing_ || over_ || queue_.empty()) {
        return;
    }
    writing_ = true;
    socket_.text(true);
    socket_.async_write(asio::buffer(queue_.front()),
                        [self = shared_from_this()](error_code error, std::size_t /*octets*/) {
                            self->writing_ = false;
                            if (error) {
                                self->end("write: " + error.message());
                                return;
                            }
                            self->queued_octets_ -= self->queue_.front().size();
                            self->queue_.pop_front();
                            self->write();
                        });
}

// The owner is told in a turn of its own: it may be in the middle of a call of ours.
void Session::Wire::end(const std::string& why) {
    if (over_) {
        return;
    }
    over_ = true;
    error_code ignored;
    deadline_.cancel();
    resolver_.cancel();
    beast::get_lowest_layer(socket_).socket().close(ignored);
    asio::post(socket_.get_executor(), [self = shared_from_this(), why] {
        if (self->owner_ != nullptr) {
            self->owner_->on_end(why);
        }
    });
}

Session::Session(asio::io_context& loop, const Settings& settings,
                 std::shared_ptr<tls::Credentials> credentials, channel::RefusalCounts& counts,
                 SessionOwner& owner)
    : wire_(std::make_shared<Wire>(loop, settings, std::move(credentials), counts, owner)) {
}

Session::~Session() {
    wire_->let_go();
    wire_->end("let go");
}

void Session::connect(const std::string& server, const channel::Hello& hello) {
    wire_->connect(server, hello);
}

bool Session::ready() const {
    return wire_->ready();
}

std::string Session::fresh_id() {
    return wire_->channel().fresh_id();
}

void Session::send(MessageType type, std::string_view id, const boost::json::object& body) {
    wire_->send(type, id, body);
}

void Session::refuse(channel::Refusal reason, const std::string& detail, const channel::Envelope& message) {
    wire_->refuse(wire_->channel().refuse(reason, detail, &message));
}

void Session::end(const std::string& why) {
    wire_->end(why);
}

const tls::Peer* Session::peer() const {
    return wire_->peer();
}

std::chrono::steady_clock::time_point Session::heard() const {
    return wire_->heard();
}

} // namespace stem::smlink
