// SPDX-License-Identifier: Apache-2.0
// What one end of a TLS connection shows and believes: its certificate and key, the authority, and the
// revocation list. Loaded whole or not at all; connections that are up keep the ones they began with.
#pragma once

#include "sm/pki/trust.h"

#include <boost/asio/ssl/context.hpp>

#include <sys/types.h>

#include <filesystem>
#include <memory>

namespace stem::tls {

struct Files {
    std::filesystem::path certificate;
    std::filesystem::path key;
    std::filesystem::path ca;
    std::filesystem::path crl; // "" = none: nothing counts as revoked
};

enum class End : std::uint8_t { client, server };

class Credentials {
  public:
    // Errors name the file. A key that others may read, or that is not of the certificate, is refused.
    static Result<std::shared_ptr<Credentials>> load(const Files& files, End end);

    // TLS 1.3 alone (RFC 8446), the peer's certificate required, no resumption: each connection is a
    // handshake in which the peer is judged anew.
    [[nodiscard]] boost::asio::ssl::context& context() noexcept { return context_; }
    [[nodiscard]] const pki::Trust& trust() const noexcept { return trust_; }
    [[nodiscard]] const pki::Certificate& certificate() const noexcept { return certificate_; }
    [[nodiscard]] const pki::Key& key() const noexcept { return key_; }

  private:
    Credentials(pki::Trust trust, pki::Certificate certificate, pki::Key key, End end)
        : trust_(std::move(trust)), certificate_(std::move(certificate)), key_(std::move(key)),
          context_(end == End::server ? boost::asio::ssl::context::tls_server
                                      : boost::asio::ssl::context::tls_client) {}
    Result<> set_up(const pki::Certificate& authority);

    pki::Trust trust_;
    pki::Certificate certificate_;
    pki::Key key_;
    boost::asio::ssl::context context_;
};

struct Peer {
    pki::Certificate certificate;
    pki::Identity identity;
};
// Who is at the other end, after the handshake.
Result<Peer> peer_of(SSL* connection);

// Says when a file was replaced or written to.
class FileWatch {
  public:
    explicit FileWatch(std::filesystem::path file) : file_(std::move(file)), seen_(look()) {}
    // True once for each change.
    bool changed();

  private:
    struct Look {
        ino_t inode = 0;
        off_t size = -1;
        std::int64_t modified_ns = 0;
        bool operator==(const Look&) const = default;
    };
    [[nodiscard]] Look look() const;

    std::filesystem::path file_;
    Look seen_;
};

} // namespace stem::tls
