// SPDX-License-Identifier: Apache-2.0
#include "sm/server/connection.h"

#include <boost/beast/core/detail/base64.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "sm/json.h"

namespace stem::smd {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;

constexpr std::size_t read_buffer = 65536;

// HTTP's Basic (RFC 7617) over TLS; nothing: it is none.
std::optional<std::pair<std::string, std::string>> basic_of(std::string_view value) {
    constexpr std::string_view scheme = "basic ";
    constexpr std::size_t longest = 1024;
    if (value.size() <= scheme.size() || value.size() > longest ||
        !beast::iequals(beast::string_view(value).substr(0, scheme.size()), scheme)) {
        return std::nullopt;
    }
    value.remove_prefix(scheme.size());
    // Of a text that is not of whole groups of four, the decoder writes up to two octets more.
    std::string text(beast::detail::base64::decoded_size(value.size()) + 3, '\0');
    const auto [octets, read] = beast::detail::base64::decode(text.data(), value.data(), value.size());
    text.resize(octets);
    const auto colon = text.find(':');
    if (colon == std::string::npos || colon == 0 || read + 2 < value.size()) {
        return std::nullopt;
    }
    return std::pair(text.substr(0, colon), text.substr(colon + 1));
}

} // namespace

Connection::Connection(asio::ip::tcp::socket socket, std::string address, Connections& connections)
    : connections_(connections), credentials_(connections.service().credentials()),
      stream_(std::in_place, beast::tcp_stream(std::move(socket)), credentials_->context()),
      address_(std::move(address)), buffer_(read_buffer) {
}

Connection::~Connection() {
    connections_.forget(*this);
}

std::string Connection::who() const {
    return (peer_ ? peer_->identity.text() : std::string("someone")) + " at " + address_;
}

void Connection::cut() {
    if (stream_) {
        error_code ignored;
        beast::get_lowest_layer(*stream_).socket().close(ignored);
    }
}

void Connection::shake_hands() {
    if (connections_.service().config().server.passwords) {
        SSL_set_verify(stream_->native_handle(), SSL_VERIFY_PEER, nullptr); // none is no failure
    }
    beast::get_lowest_layer(*stream_).expires_after(connections_.service().config().server.timeout);
    stream_->async_handshake(asio::ssl::stream_base::server,
                             [self = shared_from_this()](error_code error) { self->shaken(error); });
}

void Connection::shaken(error_code error) {
    Service& service = connections_.service();
    if (error) {
        ++service.counts().handshake_failed;
        service.audit().refused(who(), "handshake: " + error.message());
        return;
    }
    if (service.config().server.passwords && SSL_get0_peer_certificate(stream_->native_handle()) == nullptr) {
        anonymous_ = true; // its place is among those who have not shown who they are
        read();
        return;
    }
    auto peer = tls::peer_of(stream_->native_handle());
    if (!peer) {
        ++service.counts().no_role;
        service.audit().refused(who(), peer.error().message());
        return;
    }
    peer_.emplace(std::move(*peer));
    // The list may have changed while hands were shaken.
    if (const auto believed = service.credentials()->trust().verify(peer_->certificate, pki::Purpose::client);
        !believed) {
        ++service.counts().revoked;
        service.audit().refused(who(), believed.error().message());
        return;
    }
    place_ = connections_.place(*this);
    if (!place_) {
        service.audit().refused(who(), "as many connections as [server] connections allows");
        return;
    }
    read();
}

void Connection::read() {
    const auto& settings = connections_.service().config().server;
    parser_.emplace();
    parser_->header_limit(settings.header);
    parser_->body_limit(sm::max_import_length); // of any request; what this one may have, its target says
    beast::get_lowest_layer(*stream_).expires_after(settings.timeout);
    http::async_read_header(
        *stream_, buffer_, *parser_,
        [self = shared_from_this()](error_code error, std::size_t /*octets*/) { self->read_body(error); });
}

void Connection::read_body(error_code error) {
    if (error) {
        received(error);
        return;
    }
    const auto& target = parser_->get().target();
    body_limit_ = peer_ && peer_->identity.role == pki::Role::admin
                      ? sm::body_limit({target.data(), target.size()})
                      : sm::max_body_length;
    if (parser_->content_length().value_or(0) > body_limit_) {
        received(http::error::body_limit);
        return;
    }
    parser_->body_limit(body_limit_);
    http::async_read(
        *stream_, buffer_, *parser_,
        [self = shared_from_this()](error_code failed, std::size_t /*octets*/) { self->received(failed); });
}

void Connection::received(error_code error) {
    if (!error) {
        answer();
    } else if (error == http::error::body_limit) {
        refuse(413, fmt::format("the body is longer than {} octets", body_limit_));
    } else if (error == http::error::header_limit || error == http::error::buffer_overflow) {
        refuse(431, fmt::format("the header is longer than {} octets",
                                connections_.service().config().server.header));
    } else if (error.category() == http::make_error_code(http::error::bad_method).category() &&
               error != http::error::end_of_stream && error != http::error::partial_message) {
        refuse(400, "not an HTTP/1.1 request: " + error.message());
    }
    // Else the peer went away or was too slow.
}

void Connection::refuse(int status, const std::string& what) {
    Service& service = connections_.service();
    ++service.counts().malformed;
    service.audit().refused(who(), what);
    keep_alive_ = false; // what follows on the stream cannot be told
    write({.status = status, .body = boost::json::serialize(sm::to_json(Error{.attempt = what}))});
}

void Connection::answer() {
    const auto& message = parser_->get();
    keep_alive_ = message.keep_alive();
    if (anonymous_) {
        answer_with_password();
        return;
    }
    if (beast::websocket::is_upgrade(message) && message.target() == "/v1/channel") {
        if (connections_.service().may_begin_channel(*peer_)) {
            become_channel();
            return;
        }
        keep_alive_ = false;
        write({.status = 403,
               .body = boost::json::serialize(sm::to_json(
                   Error{.attempt = "begin a control channel",
                         .cause = fmt::format("not for the role {}", label_of(peer_->identity.role)),
                         .remedy = "only firewalls have one"}))});
        return;
    }
    const std::string_view method = message.method_string();
    const std::string_view target = message.target();
    write(connections_.service().answer(
        *peer_, {.method = method, .target = target, .body = message.body(), .address = address_}));
}

void Connection::answer_with_password() {
    keep_alive_ = false; // so that nobody holds his place
    const auto refuse_login = [this](int status, std::string_view why) {
        write({.status = status,
               .body = boost::json::serialize(sm::to_json(
                   Error{.attempt = "administer without a certificate", .cause = std::string(why)})),
               .ask_password = status == 401});
    };
    const auto given = basic_of(parser_->get()[http::field::authorization]);
    if (!given) {
        refuse_login(401, "no name and password");
        return;
    }
    connections_.service().log_in(
        given->first, given->second, address_,
        [self = shared_from_this(), name = given->first, refuse_login](auth::Authenticator::Login login) {
            if (login != auth::Authenticator::Login::right) {
                const int status = login == auth::Authenticator::Login::wrong       ? 401
                                   : login == auth::Authenticator::Login::throttled ? 429
                                                                                    : 503;
                refuse_login(status, auth::text_of(login));
                return;
            }
            const auto& message = self->parser_->get();
            const std::string_view method = message.method_string();
            const std::string_view target = message.target();
            self->write(self->connections_.service().answer_administrator(
                {.role = pki::Role::admin, .name = name},
                {.method = method, .target = target, .body = message.body(), .address = self->address_}));
        });
}

void Connection::become_channel() {
    const auto session = std::make_shared<FirewallSession>(std::move(*stream_), std::move(*peer_), address_,
                                                           connections_.service(), std::move(place_));
    connections_.forget(*this);
    stream_.reset();
    peer_.reset();
    connections_.watch(session);
    session->begin(parser_->get());
}

void Connection::write(Service::Reply reply) {
    response_ = {};
    response_.version(11);
    response_.result(static_cast<unsigned>(reply.status));
    response_.set(http::field::server, "stem-smd");
    response_.keep_alive(keep_alive_);
    if (!reply.allow.empty()) {
        response_.set(http::field::allow, reply.allow);
    }
    if (reply.ask_password) {
        response_.set(http::field::www_authenticate, R"(Basic realm="stem-smd", charset="UTF-8")");
    }
    if (!reply.body.empty()) {
        response_.set(http::field::content_type, reply.content_type);
        response_.body() = std::move(reply.body);
    }
    response_.prepare_payload();
    beast::get_lowest_layer(*stream_).expires_after(connections_.service().config().server.timeout);
    http::async_write(*stream_, response_,
                      [self = shared_from_this()](error_code error, std::size_t /*octets*/) {
                          if (error) {
                              return;
                          }
                          if (self->keep_alive_) {
                              self->read();
                              return;
                          }
                          self->stream_->async_shutdown([self](error_code /*error*/) {});
                      });
}

} // namespace stem::smd
