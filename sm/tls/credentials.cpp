// SPDX-License-Identifier: Apache-2.0
#include "sm/tls/credentials.h"

#include <sys/stat.h>

namespace stem::tls {

Result<std::shared_ptr<Credentials>> Credentials::load(const Files& files, End end) {
    auto trust = pki::Trust::load(files.ca, files.crl);
    if (!trust) {
        return std::unexpected(trust.error());
    }
    auto authority = pki::Certificate::read(files.ca);
    if (!authority) {
        return std::unexpected(authority.error());
    }
    auto certificate = pki::Certificate::read(files.certificate);
    if (!certificate) {
        return std::unexpected(certificate.error());
    }
    auto key = pki::Key::read(files.key);
    if (!key) {
        return std::unexpected(key.error());
    }
    if (!certificate->belongs_to(*key)) {
        return fail("load certificate " + files.certificate.string(), files.key.string() + " is not its key",
                    "name the two files of one certificate");
    }
    const auto purpose = end == End::server ? pki::Purpose::server : pki::Purpose::client;
    if (auto believed = trust->verify(*certificate, purpose); !believed) {
        return fail("load certificate " + files.certificate.string(), believed.error().cause,
                    "issue or renew it with stemctl pki");
    }
    std::shared_ptr<Credentials> credentials(
        new Credentials(std::move(*trust), std::move(*certificate), std::move(*key), end));
    if (auto done = credentials->set_up(*authority); !done) {
        return std::unexpected(done.error());
    }
    return credentials;
}

Result<> Credentials::set_up(const pki::Certificate& authority) {
    SSL_CTX* raw = context_.native_handle();
    const bool good = SSL_CTX_set_min_proto_version(raw, TLS1_3_VERSION) == 1 &&
                      SSL_CTX_set_max_proto_version(raw, TLS1_3_VERSION) == 1 &&
                      SSL_CTX_use_certificate(raw, certificate_.get()) == 1 &&
                      SSL_CTX_use_PrivateKey(raw, key_.get()) == 1 &&
                      SSL_CTX_add_client_CA(raw, authority.get()) == 1 &&
                      SSL_CTX_set_num_tickets(raw, 0) == 1;
    if (!good) {
        return pki::fail_openssl("set up TLS");
    }
    SSL_CTX_set1_cert_store(raw, trust_.get());
    SSL_CTX_set_verify(raw, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    SSL_CTX_set_verify_depth(raw, 1);
    SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(raw, SSL_OP_NO_TICKET);
    SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS);
    return {};
}

Result<Peer> peer_of(SSL* connection) {
    pki::X509Ptr raw(SSL_get1_peer_certificate(connection));
    if (!raw) {
        return fail("tell who the peer is", "it showed no certificate");
    }
    pki::Certificate certificate(std::move(raw));
    auto identity = certificate.identity();
    if (!identity) {
        return fail("tell who the peer is",
                    "certificate " + certificate.serial() + " has no role, or more than one",
                    "issue one with stemctl pki issue ROLE NAME");
    }
    return Peer{std::move(certificate), std::move(*identity)};
}

FileWatch::Look FileWatch::look() const {
    struct stat status{};
    if (file_.empty() || ::stat(file_.c_str(), &status) != 0) {
        return {};
    }
    constexpr std::int64_t ns_per_second = 1'000'000'000;
    return {.inode = status.st_ino,
            .size = status.st_size,
            .modified_ns = status.st_mtim.tv_sec * ns_per_second + status.st_mtim.tv_nsec};
}

bool FileWatch::changed() {
    const Look now = look();
    if (now == seen_) {
        return false;
    }
    seen_ = now;
    return true;
}

} // namespace stem::tls
