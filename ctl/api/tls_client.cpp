// SPDX-License-Identifier: Apache-2.0
#include "ctl/api/tls_client.h"

#include "ctl/api/exchange.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>

#include <optional>

namespace stem::api {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;
using boost::system::error_code;

struct Place {
    std::string host;
    std::string port;
};

std::optional<Place> place_of(std::string_view url) {
    constexpr std::string_view scheme = "https://";
    if (!url.starts_with(scheme)) {
        return std::nullopt;
    }
    url.remove_prefix(scheme.size());
    if (url.ends_with('/')) {
        url.remove_suffix(1);
    }
    const auto colon = url.rfind(':');
    std::string_view host = url.substr(0, colon);
    const std::string_view port = colon == std::string_view::npos ? "" : url.substr(colon + 1);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
        host = host.substr(1, host.size() - 2);
    }
    const bool digits = !port.empty() && port.find_first_not_of("0123456789") == std::string_view::npos;
    if (host.empty() || !digits || host.find('/') != std::string_view::npos) {
        return std::nullopt;
    }
    return Place{std::string(host), std::string(port)};
}

} // namespace

Result<Response> TlsClient::ask(const Request& request) const {
    const std::string attempt = "ask Security Manager " + url_;
    const auto place = place_of(url_);
    if (!place) {
        return fail(attempt, "not a usable address",
                    "write https://HOST:PORT, an IPv6 address in brackets, as https://[2001:db8::9]:7443");
    }
    const auto credentials = tls::Credentials::load(files_, tls::End::client);
    if (!credentials) {
        return std::unexpected(credentials.error());
    }
    Exchange<beast::ssl_stream<beast::tcp_stream>> exchange(timeout_, (*credentials)->context());
    auto& stream = exchange.stream();
    asio::io_context names;
    error_code error;
    const auto found = tcp::resolver(names).resolve(place->host, place->port, error);
    if (error) {
        return fail(attempt, "look up " + place->host + ": " + error.message(), "is the name right?");
    }
    error = exchange.finish([&](auto&& done) {
        beast::get_lowest_layer(stream).async_connect(
            found, [done](error_code failed, const tcp::endpoint& /*endpoint*/) { done(failed); });
    });
    if (error) {
        return fail_errno(attempt, error == beast::error::timeout ? ETIMEDOUT : error.value(),
                          "is stem-smd running there?");
    }
    error =
        exchange.finish([&](auto&& done) { stream.async_handshake(asio::ssl::stream_base::client, done); });
    if (error) {
        return fail(attempt, "TLS handshake: " + error.message(),
                    "are its certificate and --sm-ca of one authority?");
    }
    const auto peer = tls::peer_of(stream.native_handle());
    if (!peer || peer->identity.role != pki::Role::server) {
        return fail(attempt, peer ? "it is no Security Manager, but " + peer->identity.text()
                                  : peer.error().message());
    }
    Response response;
    error = exchange.ask(request, place->host, response);
    if (error) {
        // In TLS 1.3 a server's judgement of our certificate comes with the first thing that we read.
        return fail(attempt, error == beast::error::timeout ? "no answer in time" : error.message(),
                    "is our certificate (--sm-cert) valid, of its authority, and not revoked?");
    }
    return response;
}

Result<std::string> TlsClient::must(const Request& request) const {
    auto response = ask(request);
    if (!response) {
        return std::unexpected(response.error());
    }
    if (response->status >= 400) {
        return std::unexpected(error_of(request, *response));
    }
    return std::move(response->body);
}

} // namespace stem::api
