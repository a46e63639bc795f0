// SPDX-License-Identifier: Apache-2.0
// What a Security Manager must hear of is told a window at a time: over TLS and loopback, with a Security
// Manager that acknowledges when the test says so.
#include "ctl/smlink/remote_link.h"
#include "sm/channel/channel.h"
#include "sm/pki/authority.h"
#include "tests/unit/sm_fixture.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>

#include <gmock/gmock.h>

#include <deque>
#include <functional>
#include <memory>
#include <numeric>

namespace stem::smlink {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using namespace std::chrono_literals;
using asio::ip::tcp;
using boost::system::error_code;
using channel::MessageType;
using sm::must;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr auto window = RemoteLink::most_posted;

// One firewall's connection, at the Security Manager's end.
class Peer : public std::enable_shared_from_this<Peer> {
  public:
    Peer(tcp::socket socket, std::shared_ptr<tls::Credentials> credentials,
         std::function<void(const channel::Envelope&)> taken)
        : credentials_(std::move(credentials)), taken_(std::move(taken)),
          socket_(beast::tcp_stream(std::move(socket)), credentials_->context()),
          channel_(
              channel::Sender::firewall, {}, [] { return std::chrono::system_clock::now(); }, refusals_,
              [](const channel::Refused& refused) { ADD_FAILURE() << refused.detail; }) {}

    void begin() {
        socket_.next_layer().async_handshake(asio::ssl::stream_base::server,
                                             [self = shared_from_this()](error_code failed) {
                                                 if (!failed) {
                                                     self->socket_.async_accept([self](error_code refused) {
                                                         if (!refused) {
                                                             self->read();
                                                         }
                                                     });
                                                 }
                                             });
    }
    void send(MessageType type, std::string_view id, const boost::json::object& body) {
        queue_.push_back(channel_.make(type, id, body));
        if (queue_.size() == 1) {
            write();
        }
    }
    void cut() {
        error_code ignored;
        beast::get_lowest_layer(socket_).socket().close(ignored);
    }

  private:
    void read() {
        socket_.async_read(buffer_, [self = shared_from_this()](error_code failed, std::size_t /*octets*/) {
            if (failed) {
                return;
            }
            const auto message = self->channel_.accept(beast::buffers_to_string(self->buffer_.cdata()));
            self->buffer_.consume(self->buffer_.size());
            if (message) {
                self->take(*message);
            }
            self->read();
        });
    }
    void take(const channel::Envelope& message) {
        if (*message.type == MessageType::hello) {
            send(MessageType::hello, message.id, to_body(channel::Hello{.software = "test", .name = "sm1"}));
        } else if (*message.type == MessageType::ping) {
            send(MessageType::pong, message.id, {});
        } else {
            taken_(message);
        }
    }
    void write() {
        socket_.async_write(asio::buffer(queue_.front()),
                            [self = shared_from_this()](error_code failed, std::size_t /*octets*/) {
                                self->queue_.pop_front();
                                if (!failed && !self->queue_.empty()) {
                                    self->write();
                                }
                            });
    }

    std::shared_ptr<tls::Credentials> credentials_;
    std::function<void(const channel::Envelope&)> taken_;
    channel::RefusalCounts refusals_{};
    beast::websocket::stream<beast::ssl_stream<beast::tcp_stream>> socket_;
    channel::Channel channel_;
    beast::flat_buffer buffer_;
    std::deque<std::string> queue_;
};

class Window : public testing::Test {
  protected:
    Window()
        : authority_(must(pki::Authority::init(folder_ / "pki", "Test", std::chrono::days(30),
                                               std::chrono::system_clock::now()))),
          credentials_(must(tls::Credentials::load(files(pki::Role::server, "sm1"), tls::End::server))),
          acceptor_(loop_) {
        // Bound, but not listening: who connects is refused, and nobody else takes the port.
        acceptor_.open(tcp::v4());
        acceptor_.bind({asio::ip::address_v4::loopback(), 0});
        const auto own = files(pki::Role::firewall, "fw1");
        link_ = std::make_unique<RemoteLink>(
            loop_,
            Settings{.servers = {"127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port())},
                     .files = own,
                     .name = "default",
                     .software = "test",
                     .reconnect_min = 10ms,
                     .reconnect_max = 20ms},
            must(tls::Credentials::load(own, tls::End::client)),
            RemoteLink::Instructed{.thresholds = [](const auto&) { return Result<>(); },
                                   .deny = [](const auto&) { return Result<>(); }});
    }
    tls::Files files(pki::Role role, const std::string& name) {
        const auto issued = must(authority_.issue({role, name}, {}, {}, std::chrono::system_clock::now()));
        return {.certificate = issued.certificate,
                .key = issued.key,
                .ca = authority_.certificate_file(),
                .crl = authority_.revocation_list()};
    }
    // From now on there is a Security Manager.
    void open() {
        acceptor_.listen();
        accept();
    }
    void accept() {
        acceptor_.async_accept([this](error_code failed, tcp::socket socket) {
            if (!failed) {
                told_.clear();
                peer_ = std::make_shared<Peer>(std::move(socket), credentials_,
                                               [this](const auto& message) { take(message); });
                peer_->begin();
                accept();
            }
        });
    }
    void take(const channel::Envelope& message) {
        if (*message.type == MessageType::refused) {
            refused_.push_back(must(channel::refused_from(message.body)).reason);
        } else if (*message.type == MessageType::call) {
            const auto event = must(channel::call_from(message.body));
            told_.push_back({message.id, std::stoul(event.call)});
            if (at_once_) {
                acknowledge(message.id);
            }
        } // else `calls`, of which there are none
    }
    void acknowledge(const std::string& id) { peer_->send(MessageType::ack, id, to_body(channel::Ack{})); }
    void refuse(const std::string& id, channel::Refusal reason) {
        peer_->send(MessageType::refused, id,
                    to_body(channel::Refused{.reason = reason, .detail = "for the test"}));
    }
    // Ends of calls, numbered on.
    void ended(std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            link_->follow({.call = std::to_string(next_++),
                           .call_id = "id",
                           .caller = "sip:a@example.com",
                           .callee = "sip:b@example.org",
                           .direction = STEM_INBOUND,
                           .user = {},
                           .state = sm::Link::CallEvent::State::ended,
                           .at = std::chrono::system_clock::now(),
                           .cause = "ended by BYE"});
        }
    }
    bool soon(const std::function<bool()>& condition) {
        const auto end = std::chrono::steady_clock::now() + 20s;
        while (!condition() && std::chrono::steady_clock::now() < end) {
            loop_.run_for(1ms);
        }
        return condition();
    }
    // Nothing more comes, though the link's tick went by more than once.
    bool stays(const std::function<bool()>& condition) {
        loop_.run_for(300ms);
        return condition();
    }
    // What was told on this connection, in order.
    [[nodiscard]] std::vector<std::size_t> told() const {
        std::vector<std::size_t> calls;
        calls.reserve(told_.size());
        for (const auto& [id, call] : told_) {
            calls.push_back(call);
        }
        return calls;
    }
    static std::vector<std::size_t> from_to(std::size_t first, std::size_t end) {
        std::vector<std::size_t> calls(end - first);
        std::iota(calls.begin(), calls.end(), first);
        return calls;
    }

    sm::Folder folder_;
    asio::io_context loop_;
    pki::Authority authority_;
    std::shared_ptr<tls::Credentials> credentials_;
    tcp::acceptor acceptor_;
    std::shared_ptr<Peer> peer_;
    std::unique_ptr<RemoteLink> link_;
    std::vector<std::pair<std::string, std::size_t>> told_; // id of the message, and call
    std::vector<std::string> refused_;                      // by the firewall
    bool at_once_ = false;
    std::size_t next_ = 0;
};

TEST_F(Window, WhatAnOutageLeftIsToldAWindowAtATimeInOrderAndOnce) {
    constexpr std::size_t kept = 2 * window + 500;
    ended(kept);
    EXPECT_TRUE(soon([&] { return link_->counts().connect_failures > 1; }));
    open();
    ASSERT_TRUE(soon([&] { return told_.size() == window; }));
    EXPECT_TRUE(stays([&] { return told_.size() == window; })) << told_.size();
    EXPECT_EQ(link_->status().outbox, kept);

    // One is acknowledged, and one more comes; whichever it is.
    acknowledge(told_[7].first);
    ASSERT_TRUE(soon([&] { return told_.size() > window; }));
    EXPECT_TRUE(stays([&] { return told_.size() == window + 1; })) << told_.size();

    // What happens meanwhile waits behind it.
    ended(1);
    at_once_ = true;
    const auto underway = told_;
    for (const auto& [id, call] : underway) {
        if (call != 7) {
            acknowledge(id);
        }
    }
    ASSERT_TRUE(soon([&] { return link_->counts().acknowledged == kept + 1; }));
    EXPECT_EQ(told(), from_to(0, kept + 1));
    EXPECT_EQ(link_->status().outbox, 0U);
    EXPECT_TRUE(stays([&] { return told_.size() == kept + 1; }));
    EXPECT_THAT(refused_, IsEmpty());
    EXPECT_EQ(link_->counts().losses, 0U);
}

TEST_F(Window, AConnectionLostInTheMiddleOfItTellsTheRestAgain) {
    constexpr std::size_t kept = window + 500;
    constexpr std::size_t taken = 300;
    ended(kept);
    open();
    ASSERT_TRUE(soon([&] { return told_.size() == window; }));
    for (std::size_t i = 0; i < taken; ++i) {
        acknowledge(told_[i].first);
    }
    ASSERT_TRUE(soon([&] { return link_->counts().acknowledged == taken; }));
    ASSERT_TRUE(soon([&] { return told_.size() == window + taken; }));
    peer_->cut();
    ASSERT_TRUE(soon([&] { return link_->counts().losses == 1; }));

    ASSERT_TRUE(soon([&] { return told_.size() == window; }));
    EXPECT_TRUE(stays([&] { return told_.size() == window; })) << "the window is a connection's own";
    EXPECT_EQ(told(), from_to(taken, taken + window)) << "all that was not acknowledged, in order";
    at_once_ = true;
    const auto underway = told_;
    for (const auto& [id, call] : underway) {
        acknowledge(id);
    }
    ASSERT_TRUE(soon([&] { return link_->counts().acknowledged == kept; }));
    EXPECT_EQ(told(), from_to(taken, kept));
    EXPECT_EQ(link_->status().outbox, 0U);
    EXPECT_EQ(link_->status().outbox_lost, 0U);
}

TEST_F(Window, AnAcknowledgementOfWhatIsNotUnderwayIsRefused) {
    ended(window + 3);
    open();
    ASSERT_TRUE(soon([&] { return told_.size() == window; }));
    acknowledge("none-of-theirs");
    acknowledge(told_[5].first);
    acknowledge(told_[5].first); // once more
    ASSERT_TRUE(soon([&] { return refused_.size() == 2; }));
    EXPECT_THAT(refused_, ElementsAre("unasked", "unasked"));
    EXPECT_TRUE(stays([&] { return told_.size() == window + 1; })) << "neither makes room";
    EXPECT_EQ(link_->counts().acknowledged, 1U);
    EXPECT_EQ(link_->status().outbox, window + 2);
    EXPECT_TRUE(link_->status().connected);
}

TEST_F(Window, WhatWasUnderwayForTooLongIsToldAgainAndWhatIsRefusedIsNot) {
    ended(window + 2);
    open();
    ASSERT_TRUE(soon([&] { return told_.size() == window; }));
    const auto underway = told_;
    refuse(underway[0].first, channel::Refusal::stale);
    refuse(underway[1].first, channel::Refusal::ahead);
    refuse(underway[2].first, channel::Refusal::body);
    // Three have left the window: the two that were waiting come, and the first of those that are told again.
    ASSERT_TRUE(soon([&] { return told_.size() == window + 3; }));
    EXPECT_TRUE(stays([&] { return told_.size() == window + 3; })) << told_.size();
    EXPECT_EQ(link_->counts().not_taken, 1U);
    EXPECT_EQ(link_->status().outbox, window + 1);
    at_once_ = true;
    for (std::size_t i = 3; i < window + 3; ++i) {
        acknowledge(told_[i].first);
    }
    ASSERT_TRUE(soon([&] { return link_->status().outbox == 0; }));
    auto all = from_to(0, window + 2);
    all.insert(all.end(), {0, 1});
    EXPECT_EQ(told(), all);
    EXPECT_EQ(link_->counts().acknowledged, window + 1);
}

} // namespace
} // namespace stem::smlink
