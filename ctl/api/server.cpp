// SPDX-License-Identifier: Apache-2.0
#include "ctl/api/server.h"

#include <stem/utf8.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>
#include <set>
#include <utility>

namespace stem::api {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Protocol = asio::local::stream_protocol;
using Stream = beast::basic_stream<Protocol>;
using boost::system::error_code;

// How long nothing is accepted after the process ran out of descriptors.
constexpr auto accept_pause = std::chrono::milliseconds(200);

// As a number: names come from services that may take their time, and calls are carried by this loop.
std::string peer_of(int socket) {
    ucred credentials{};
    socklen_t length = sizeof credentials;
    return ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0
               ? "uid " + std::to_string(credentials.uid)
               : std::string();
}

} // namespace

class Server::Listener : public std::enable_shared_from_this<Listener> {
  public:
    Listener(asio::io_context& loop, ServerSettings settings, Handler handler)
        : acceptor_(loop), pause_(loop), settings_(std::move(settings)), handler_(std::move(handler)) {}

    Result<> open();
    void accept();
    void close();

    [[nodiscard]] const ServerSettings& settings() const { return settings_; }
    [[nodiscard]] Response handle(const Request& request) const { return handler_(request); }

    class Session;
    void forget(Session* session) { sessions_.erase(session); }

  private:
    [[nodiscard]] Result<> clear_path() const;

    Protocol::acceptor acceptor_;
    asio::steady_timer pause_;
    ServerSettings settings_;
    Handler handler_;
    std::set<Session*> sessions_; // they keep themselves alive by their pending operation
};

// One connection. Every pending operation holds a reference; when none is left, it closes.
class Server::Listener::Session : public std::enable_shared_from_this<Session> {
  public:
    Session(Protocol::socket socket, const std::shared_ptr<Listener>& listener)
        : who_(peer_of(socket.native_handle())), stream_(std::move(socket)), listener_(listener),
          buffer_(16384) {}

    ~Session() {
        if (const auto listener = listener_.lock()) {
            listener->forget(this);
        }
    }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    void read() {
        const auto listener = listener_.lock();
        if (!listener) {
            return;
        }
        parser_.emplace();
        parser_->header_limit(static_cast<std::uint32_t>(listener->settings().header_limit));
        parser_->body_limit(listener->settings().body_limit);
        stream_.expires_after(listener->settings().timeout);
        http::async_read(
            stream_, buffer_, *parser_,
            [self = shared_from_this()](error_code error, std::size_t /*octets*/) { self->received(error); });
    }

    void cancel() { stream_.cancel(); }

  private:
    void received(error_code error) {
        const auto listener = listener_.lock();
        if (!listener) {
            return;
        }
        if (!error) {
            auto message = parser_->release();
            keep_alive_ = message.keep_alive();
            write(listener->handle({.method = std::string(message.method_string()),
                                    .target = std::string(message.target()),
                                    .body = std::move(message.body()),
                                    .who = who_}));
        } else if (error == http::error::body_limit) {
            refuse(413,
                   "the body is longer than " + std::to_string(listener->settings().body_limit) + " octets");
        } else if (error == http::error::header_limit || error == http::error::buffer_overflow) {
            refuse(431, "the header is longer than " + std::to_string(listener->settings().header_limit) +
                            " octets");
        } else if (error.category() == http::make_error_code(http::error::bad_method).category() &&
                   error != http::error::end_of_stream && error != http::error::partial_message) {
            refuse(400, "not an HTTP/1.1 request: " + error.message());
        }
        // Else the peer went away or was too slow.
    }

    void refuse(int status, const std::string& what) {
        keep_alive_ = false; // what follows on the stream cannot be told
        write(refusal(status, what));
    }

    void write(Response answer) {
        const auto listener = listener_.lock();
        response_ = {};
        response_.version(11);
        response_.result(static_cast<unsigned>(answer.status));
        response_.set(http::field::server, "stemd");
        response_.keep_alive(keep_alive_);
        if (!answer.allow.empty()) {
            response_.set(http::field::allow, answer.allow);
        }
        if (!answer.body.empty()) {
            response_.set(http::field::content_type, answer.content_type);
            // What callers have put into URIs need not be UTF-8; JSON must.
            response_.body() = is_utf8(answer.body) ? std::move(answer.body) : valid_utf8(answer.body);
        }
        response_.prepare_payload();
        stream_.expires_after(listener->settings().timeout);
        http::async_write(stream_, response_,
                          [self = shared_from_this()](error_code error, std::size_t /*octets*/) {
                              if (!error && self->keep_alive_) {
                                  self->read();
                              }
                          });
    }

    std::string who_;
    Stream stream_;
    std::weak_ptr<Listener> listener_;
    beast::flat_buffer buffer_;
    std::optional<http::request_parser<http::string_body>> parser_;
    http::response<http::string_body> response_;
    bool keep_alive_ = false;
};

Result<> Server::Listener::clear_path() const {
    struct stat status{};
    if (::lstat(settings_.socket.c_str(), &status) != 0) {
        return {};
    }
    if (!S_ISSOCK(status.st_mode)) {
        return fail("listen on " + settings_.socket.string(), "there is a file that is no socket",
                    "remove it, or choose another [api] socket");
    }
    ::unlink(settings_.socket.c_str());
    return {};
}

Result<> Server::Listener::open() {
    const std::string attempt = "listen on " + settings_.socket.string();
    if (settings_.socket.native().size() >= sizeof(sockaddr_un::sun_path)) {
        return fail(attempt, "the path is longer than a unix socket's can be (107 octets)",
                    "choose a shorter --run-dir or [api] socket");
    }
    if (auto cleared = clear_path(); !cleared) {
        return cleared;
    }
    error_code error;
    acceptor_.open(Protocol(), error);
    if (!error) {
        // Nobody can connect before the mode is set.
        const mode_t before = ::umask(0777);
        acceptor_.bind(Protocol::endpoint(settings_.socket.string()), error);
        ::umask(before);
    }
    if (!error && ::chmod(settings_.socket.c_str(), settings_.mode) != 0) {
        error.assign(errno, boost::system::system_category());
    }
    if (!error) {
        acceptor_.listen(asio::socket_base::max_listen_connections, error);
    }
    if (error) {
        return fail_errno(attempt, error.value(), "may this user write there?");
    }
    return {};
}

void Server::Listener::accept() {
    acceptor_.async_accept([self = shared_from_this()](error_code error, Protocol::socket socket) {
        if (error == asio::error::operation_aborted) {
            return;
        }
        if (error) {
            self->pause_.expires_after(accept_pause);
            self->pause_.async_wait([self](error_code stopped) {
                if (!stopped) {
                    self->accept();
                }
            });
            return;
        }
        if (self->sessions_.size() < self->settings_.connections) {
            const auto session = std::make_shared<Session>(std::move(socket), self);
            self->sessions_.insert(session.get());
            session->read();
        }
        self->accept();
    });
}

void Server::Listener::close() {
    error_code ignored;
    acceptor_.close(ignored);
    pause_.cancel();
    for (Session* session : sessions_) {
        session->cancel();
    }
    ::unlink(settings_.socket.c_str());
}

Server::Server(std::shared_ptr<Listener> listener) : listener_(std::move(listener)) {
}

Server::~Server() {
    listener_->close();
}

Result<std::unique_ptr<Server>> Server::listen(asio::io_context& loop, ServerSettings settings,
                                               Handler handler) {
    auto listener = std::make_shared<Listener>(loop, std::move(settings), std::move(handler));
    if (auto opened = listener->open(); !opened) {
        return std::unexpected(opened.error());
    }
    listener->accept();
    return std::unique_ptr<Server>(new Server(std::move(listener)));
}

} // namespace stem::api
