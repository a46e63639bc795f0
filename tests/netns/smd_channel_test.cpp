// SPDX-License-Identifier: Apache-2.0
// The control channel on the wire: whoever has a firewall's certificate, and says what no firewall says.
// stem-smd answers or closes, counts it and writes it down (docs/control-channel.md, "Refusals").
#include "sm/channel/bodies.h"
#include "sm/channel/channel.h"
#include "sm/tls/credentials.h"
#include "tests/expect_ok.h"
#include "tests/netns/smd_fixture.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <thread>

namespace stem::smd {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using namespace std::chrono_literals;
using asio::ip::tcp;
using boost::system::error_code;
using channel::MessageType;
using channel::Refusal;
using testing::HasSubstr;

// A firewall's end, which says what it is told to. All waits are bounded by a deadline of the kernel's.
class Liar {
  public:
    static Result<std::unique_ptr<Liar>> connect(const lab::Netns& netns, bool v6, const tls::Files& files) {
        auto credentials = tls::Credentials::load(files, tls::End::client);
        if (!credentials) {
            return std::unexpected(credentials.error());
        }
        std::unique_ptr<Liar> liar(new Liar(std::move(*credentials)));
        const auto connected = netns.run([&]() -> Result<> {
            error_code error;
            const tcp::endpoint server(asio::ip::make_address(v6 ? "::1" : "127.0.0.1"),
                                       static_cast<std::uint16_t>(lab::ManagerHost::port(1)));
            auto& socket = beast::get_lowest_layer(liar->socket_).socket();
            socket.connect(server, error);
            const timeval patience{.tv_sec = 10, .tv_usec = 0};
            ::setsockopt(socket.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
            return error ? fail("connect", error.message()) : Result<>();
        });
        if (!connected) {
            return std::unexpected(connected.error());
        }
        error_code error;
        liar->socket_.next_layer().handshake(asio::ssl::stream_base::client, error);
        if (!error) {
            liar->socket_.handshake("localhost", "/v1/channel", error);
        }
        if (error) {
            return fail("begin the channel", error.message());
        }
        liar->socket_.text(true);
        return liar;
    }

    // Of now, but for `late`.
    std::string make(MessageType type, const boost::json::object& body, std::chrono::seconds late = 0s) {
        now_ = std::chrono::system_clock::now() - late;
        return channel_.make(type, channel_.fresh_id(), body);
    }
    void say(const std::string& text) {
        error_code error;
        socket_.write(asio::buffer(text), error);
    }
    void greet() {
        say(make(MessageType::hello, to_body(channel::Hello{.software = "liar 1", .name = "fw1"})));
        EXPECT_TRUE(hear(MessageType::hello));
    }
    // The next message of that type; nullopt: the connection is over.
    std::optional<boost::json::object> hear(MessageType type) {
        for (;;) {
            beast::flat_buffer buffer;
            error_code error;
            socket_.read(buffer, error);
            if (error) {
                return std::nullopt;
            }
            auto message =
                channel::decode(beast::buffers_to_string(buffer.cdata()), channel::default_message_limit);
            if (message && message->type == type) {
                return std::move(message->body);
            }
        }
    }
    [[nodiscard]] bool is_over() {
        beast::flat_buffer buffer;
        error_code error;
        while (!error) {
            buffer.clear();
            socket_.read(buffer, error);
        }
        return error != asio::error::would_block && error != asio::error::try_again;
    }
    // Whether a question is answered.
    [[nodiscard]] bool is_served() {
        say(make(MessageType::ping, {}));
        return hear(MessageType::pong).has_value();
    }

  private:
    explicit Liar(std::shared_ptr<tls::Credentials> credentials)
        : credentials_(std::move(credentials)), socket_(loop_, credentials_->context()),
          channel_(channel::Sender::manager, {}, [this] { return now_; }, counts_, {}) {}

    std::shared_ptr<tls::Credentials> credentials_;
    asio::io_context loop_;
    beast::websocket::stream<beast::ssl_stream<beast::tcp_stream>> socket_;
    std::chrono::system_clock::time_point now_;
    channel::RefusalCounts counts_{};
    channel::Channel channel_; // that numbers what is sent
};

class SmdChannel : public SmdFixture {
  protected:
    void SetUp() override {
        SmdFixture::SetUp();
        start("[channel]\nidle_ms = 3000\n");
    }
    std::unique_ptr<Liar> connect() {
        auto liar = Liar::connect(*netns_, v6(),
                                  {.certificate = host_->issued("firewall-fw1.crt"),
                                   .key = host_->issued("firewall-fw1.key"),
                                   .ca = host_->ca(),
                                   .crl = {}});
        EXPECT_OK(liar);
        return liar ? std::move(*liar) : nullptr;
    }
    // A connection that has greeted says `lie`, and is told that it is refused for `reason`.
    void refused(Refusal reason, const std::function<std::string(Liar&)>& lie) {
        const auto liar = connect();
        ASSERT_TRUE(liar);
        liar->greet();
        liar->say(lie(*liar));
        const auto body = liar->hear(MessageType::refused);
        ASSERT_TRUE(body) << label_of(reason);
        EXPECT_EQ(body->at("reason").as_string(), std::string(label_of(reason)));
        if (closes(reason)) {
            EXPECT_TRUE(liar->is_over()) << label_of(reason);
        } else {
            EXPECT_TRUE(liar->is_served()) << label_of(reason);
        }
        told(reason);
    }
    // Counted, and written down with who it was.
    void told(Refusal reason) {
        EXPECT_THAT(
            host_->metrics(1),
            HasSubstr(fmt::format("stem_channel_refusals_total{{reason=\"{}\"}} 1\n", label_of(reason))));
        EXPECT_THAT(log(), testing::ContainsRegex(
                               fmt::format("audit: refused .*firewall fw1 at .*{}", label_of(reason))));
    }
    static boost::json::object query() {
        return channel::to_body(sm::Query{.caller = "sip:alice@example.com",
                                          .callee = "sip:bob@example.org",
                                          .call_id = "c1",
                                          .at = std::chrono::system_clock::now()});
    }
};

INSTANTIATE_TEST_SUITE_P(Families, SmdChannel, testing::Bool(),
                         [](const auto& v6) { return v6.param ? "v6" : "v4"; });

TEST_P(SmdChannel, RefusesWhatIsReplayedOrOutOfOrder) {
    refused(Refusal::repeated, [](Liar& liar) {
        const auto text = liar.make(MessageType::query, query());
        liar.say(text);
        EXPECT_TRUE(liar.hear(MessageType::decision)) << "the first time it is a question";
        return text;
    });
    refused(Refusal::reordered, [](Liar& liar) {
        static_cast<void>(liar.make(MessageType::ping, {})); // never sent
        return liar.make(MessageType::query, query());
    });
    refused(Refusal::order, [](Liar& liar) {
        return liar.make(MessageType::hello, to_body(channel::Hello{.software = "again", .name = "fw1"}));
    });
}

TEST_P(SmdChannel, RefusesWhatIsLateOrEarlyAndGoesOn) {
    refused(Refusal::stale, [](Liar& liar) { return liar.make(MessageType::query, query(), 6s); });
    refused(Refusal::ahead, [](Liar& liar) { return liar.make(MessageType::query, query(), -6s); });
}

TEST_P(SmdChannel, RefusesWhatIsNoMessageOfItsVersion) {
    refused(Refusal::truncated, [](Liar& liar) {
        auto text = liar.make(MessageType::query, query());
        return text.substr(0, text.size() / 2);
    });
    refused(Refusal::malformed, [](Liar&) { return std::string("[]"); });
    refused(Refusal::version, [](Liar& liar) {
        auto text = liar.make(MessageType::query, query());
        return text.replace(text.find("\"version\":1"), 11, "\"version\":2");
    });
    refused(Refusal::unknown_type, [](Liar& liar) {
        auto text = liar.make(MessageType::ping, {});
        return text.replace(text.find("\"ping\""), 6, "\"gnip\"");
    });
    refused(Refusal::body, [](Liar& liar) { return liar.make(MessageType::query, {{"caller", 7}}); });
    refused(Refusal::unasked, [](Liar& liar) {
        return liar.make(MessageType::ack, to_body(channel::Ack{.ok = true, .detail = "done"}));
    });
}

TEST_P(SmdChannel, RefusesWhatIsNotForAFirewallToSay) {
    refused(Refusal::wrong_role, [](Liar& liar) {
        return liar.make(MessageType::deny,
                         to_body(channel::DenyInstruction{
                             .source = *Cidr::parse("192.0.2.7"), .lifetime = 60s, .note = "x"}));
    });
}

// Nothing is answered: the rest of it is not even read.
TEST_P(SmdChannel, ClosesOnWhatIsTooLong) {
    const auto liar = connect();
    ASSERT_TRUE(liar);
    liar->greet();
    liar->say(std::string(channel::default_message_limit + 1, ' '));
    EXPECT_TRUE(liar->is_over());
    told(Refusal::oversized);
    const auto other = connect();
    ASSERT_TRUE(other);
    other->greet();
    EXPECT_TRUE(other->is_served()) << "nobody else has noticed";
}

// Whose clock steps while it is connected is told so, and not for ever.
TEST_P(SmdChannel, EndsWithAClockThatIsWrongForGood) {
    const auto liar = connect();
    ASSERT_TRUE(liar);
    liar->greet();
    liar->say(liar->make(MessageType::ping, {}, 20s));
    ASSERT_TRUE(liar->hear(MessageType::refused));
    // A refusal that is late itself is not answered by another.
    liar->say(liar->make(MessageType::refused, {{"reason", "ahead"}, {"detail", "x"}}, 20s));
    liar->say(liar->make(MessageType::ping, {}));
    EXPECT_TRUE(liar->hear(MessageType::pong));
    EXPECT_THAT(host_->metrics(1), HasSubstr("stem_channel_refusals_total{reason=\"stale\"} 2\n"));
    const auto begin = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - begin < 12s) {
        liar->say(liar->make(MessageType::ping, {}, 20s));
        if (!liar->hear(MessageType::refused)) {
            break;
        }
        std::this_thread::sleep_for(200ms);
    }
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s) << "[channel] idle_ms, though it speaks";
}

} // namespace
} // namespace stem::smd
