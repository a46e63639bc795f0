// SPDX-License-Identifier: Apache-2.0
#include "sm/auth/radius_backend.h"

#include "sm/endpoint_text.h"
#include "sm/failure.h"
#include "sm/pki/file.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>
#include <openssl/rand.h>
#include <spdlog/spdlog.h>

#include <map>
#include <optional>
#include <utility>

namespace stem::auth {
namespace {

namespace asio = boost::asio;
using asio::ip::udp;
using boost::system::error_code;

constexpr std::size_t longest_packet = 4096;
constexpr std::size_t ids = 256;
// A server that delays its no, as FreeRADIUS does by a second: it is still to be counted.
constexpr auto patience = std::chrono::seconds(3);
constexpr std::size_t shortest_secret = 16;

} // namespace

// One request, whichever servers it takes.
struct RadiusBackend::Exchange {
    std::string username;
    std::function<Result<std::vector<radius::Attribute>>(const radius::Authenticator&)> attributes;
    std::function<void(Answer)> done; // empty: told
    std::optional<asio::steady_timer> timer;
    bool repeated = false;
};

// A socket, and what waits for answers on it.
class RadiusBackend::Server {
  public:
    Server(RadiusBackend& backend, udp::endpoint where)
        : backend_(backend), where_(std::move(where)), socket_(backend.loop_) {}

    Result<> open() {
        error_code error;
        socket_.open(where_.protocol(), error);
        if (!error) {
            socket_.connect(where_, error); // the kernel drops what comes from elsewhere
        }
        if (error) {
            return fail("use RADIUS server " + name(), error.message());
        }
        receive();
        return {};
    }
    [[nodiscard]] std::string name() const {
        return fmt::format("{} port {}", where_.address().to_string(), where_.port());
    }

    // Nothing: all identifiers wait for answers.
    std::optional<std::uint8_t> send(const std::shared_ptr<Exchange>& exchange) {
        const auto now = std::chrono::steady_clock::now();
        std::erase_if(waiting_, [&](const auto& entry) { return entry.second.until <= now; });
        if (waiting_.size() == ids) {
            return std::nullopt;
        }
        while (waiting_.contains(next_)) {
            ++next_;
        }
        Waiting fresh{.exchange = exchange, .until = now + patience};
        if (RAND_bytes(fresh.authenticator.data(), static_cast<int>(fresh.authenticator.size())) != 1) {
            return std::nullopt;
        }
        const auto attributes = exchange->attributes(fresh.authenticator);
        if (!attributes) {
            return std::nullopt;
        }
        fresh.packet = radius::make_access_request(next_, fresh.authenticator, *attributes, backend_.secret_);
        const std::uint8_t id = next_++;
        waiting_.insert_or_assign(id, std::move(fresh));
        repeat(id);
        return id;
    }
    // A datagram that cannot be sent is lost like one on the way.
    void repeat(std::uint8_t id) {
        if (const auto at = waiting_.find(id); at != waiting_.end()) {
            error_code lost;
            socket_.send(asio::buffer(at->second.packet), MSG_DONTWAIT, lost);
        }
    }

  private:
    struct Waiting {
        std::shared_ptr<Exchange> exchange;
        std::chrono::steady_clock::time_point until;
        radius::Authenticator authenticator{};
        std::string packet;
    };

    void receive() {
        socket_.async_receive(asio::buffer(buffer_), [this, alive = std::weak_ptr(backend_.alive_)](
                                                         error_code error, std::size_t octets) {
            if (alive.expired() || error == asio::error::operation_aborted) {
                return;
            }
            if (!error) { // else: a port that nobody listens on says so
                take({buffer_.data(), octets});
            }
            receive();
        });
    }
    void take(std::string_view packet) {
        const auto at =
            packet.size() < 2 ? waiting_.end() : waiting_.find(static_cast<std::uint8_t>(packet[1]));
        if (at == waiting_.end()) {
            return; // repeated, or too late
        }
        const auto code = radius::read_answer(packet, at->first, at->second.authenticator, backend_.secret_,
                                              backend_.must_be_signed_);
        if (!code) { // a right one may still come
            spdlog::warn("RADIUS server {}: {}", name(), code.error().message());
            return;
        }
        const auto exchange = std::move(at->second.exchange);
        waiting_.erase(at);
        backend_.told(exchange, *code);
    }

    RadiusBackend& backend_;
    udp::endpoint where_;
    udp::socket socket_;
    std::array<char, longest_packet> buffer_{};
    std::map<std::uint8_t, Waiting> waiting_;
    std::uint8_t next_ = 0;
};

Result<std::unique_ptr<Backend>> RadiusBackend::create(asio::io_context& loop, const sm::Directory& directory,
                                                       const Settings& settings) {
    const auto& radius = settings.radius;
    if (radius.servers.empty()) {
        return sm::invalid("use the backend radius", "radius_servers names none",
                           R"(write radius_servers = ["192.0.2.9:1812"])");
    }
    auto secret = pki::read_secret_file(radius.secret);
    if (!secret) {
        return std::unexpected(secret.error());
    }
    while (!secret->empty() && (secret->back() == '\n' || secret->back() == '\r')) {
        secret->pop_back();
    }
    if (secret->size() < shortest_secret) {
        return sm::invalid("use RADIUS secret " + radius.secret, fmt::format("{} octets", secret->size()),
                           fmt::format("a secret of less than {} octets is soon guessed", shortest_secret));
    }
    std::unique_ptr<RadiusBackend> made(new RadiusBackend(loop, directory, settings, std::move(*secret)));
    for (const std::string& text : radius.servers) {
        const auto endpoint = sm::endpoint_from(text);
        if (!endpoint) {
            return sm::invalid("use RADIUS server " + text, "not an address and a port",
                               "write 192.0.2.9:1812 or [2001:db8::9]:1812");
        }
        made->servers_.push_back(std::make_unique<Server>(
            *made, udp::endpoint(asio::ip::make_address(endpoint->address.to_string()), endpoint->port)));
        if (auto opened = made->servers_.back()->open(); !opened) {
            return std::unexpected(opened.error());
        }
    }
    return made;
}

RadiusBackend::RadiusBackend(asio::io_context& loop, const sm::Directory& directory, const Settings& settings,
                             std::string secret)
    : loop_(loop), directory_(directory), form_(settings.radius.form),
      must_be_signed_(settings.radius.must_be_signed), timeout_(settings.timeout),
      secret_(std::move(secret)) {
}

RadiusBackend::~RadiusBackend() = default;

void RadiusBackend::verify(const Attempt& attempt, std::function<void(Answer)> done) {
    auto attributes = radius::digest_attributes(attempt.given, attempt.method, form_);
    if (!attributes) {
        done({.verdict = Answer::Verdict::unavailable, .why = attributes.error().message()});
        return;
    }
    const auto exchange = std::make_shared<Exchange>();
    exchange->username = attempt.given.username;
    exchange->attributes = [ready = std::move(*attributes)](const radius::Authenticator& /*authenticator*/) {
        return Result<std::vector<radius::Attribute>>(ready);
    };
    // Whom the RADIUS server knows and we do not, nobody is.
    exchange->done = [this, done = std::move(done)](Answer answer) {
        if (answer.verdict == Answer::Verdict::right && directory_.find_user(answer.user) == nullptr) {
            answer.verdict = Answer::Verdict::unknown;
        }
        done(std::move(answer));
    };
    ask(exchange, 0);
}

void RadiusBackend::check_password(const std::string& username, const std::string& password,
                                   std::function<void(Answer)> done) {
    const auto exchange = std::make_shared<Exchange>();
    exchange->username = username;
    exchange->attributes = [this, username, password](const radius::Authenticator& authenticator) {
        return radius::password_attributes(username, password, secret_, authenticator);
    };
    exchange->done = std::move(done);
    ask(exchange, 0);
}

void RadiusBackend::ask(const std::shared_ptr<Exchange>& exchange, std::size_t which) {
    if (which == servers_.size()) {
        // The last one may still answer; whoever waits has a time-out of its own.
        exchange->timer.emplace(loop_, patience);
        exchange->timer->async_wait([this, exchange, alive = std::weak_ptr(alive_)](error_code error) {
            if (!error && !alive.expired()) {
                give_up(exchange, "no server has answered");
            }
        });
        return;
    }
    Server& server = *servers_[which];
    const auto id = server.send(exchange);
    if (!id && which + 1 == servers_.size()) {
        give_up(exchange, "too many requests wait, or this one does not fit into a packet");
        return;
    }
    if (!id) {
        ask(exchange, which + 1);
        return;
    }
    const auto slice = timeout_ / static_cast<int>(2 * servers_.size());
    exchange->timer.emplace(loop_, slice);
    exchange->timer->async_wait(
        [this, exchange, which, id = *id, slice, alive = std::weak_ptr(alive_)](error_code error) {
            if (error || alive.expired() || !exchange->done) {
                return;
            }
            servers_[which]->repeat(id);
            exchange->timer->expires_after(slice);
            exchange->timer->async_wait([this, exchange, which, alive](error_code again) {
                if (!again && !alive.expired() && exchange->done) {
                    ask(exchange, which + 1);
                }
            });
        });
}

void RadiusBackend::told(const std::shared_ptr<Exchange>& exchange, radius::Code code) {
    exchange->timer.reset();
    const auto done = std::exchange(exchange->done, nullptr);
    if (!done) {
        return;
    }
    switch (code) {
    case radius::Code::accept:
        done({.verdict = Answer::Verdict::right, .user = exchange->username});
        return;
    case radius::Code::reject:
        done({.verdict = Answer::Verdict::wrong});
        return;
    case radius::Code::challenge:
        done({.verdict = Answer::Verdict::unavailable, .why = "the server wants a dialogue of its own"});
        return;
    }
}

void RadiusBackend::give_up(const std::shared_ptr<Exchange>& exchange, std::string why) {
    if (const auto done = std::exchange(exchange->done, nullptr)) {
        done({.verdict = Answer::Verdict::unavailable, .why = std::move(why)});
    }
}

} // namespace stem::auth
