// SPDX-License-Identifier: Apache-2.0
// MGCP: its grammar, and which pinholes its connections have. The parser is the second behind ProtocolParser.
#include "call/fakes.h"

#include <gmock/gmock.h>

#include "ctl/mgcp/mgcp_parser.h"
#include "ctl/parser/parsers.h"

namespace stem::mgcp {
namespace {

using testing::HasSubstr;

TEST(MgcpMessage, CommandsAndResponses) {
    const std::string text =
        "CRCX 1204 AALN/1@rgw-2567.whatever.net MGCP 1.0\r\nC: A3C47F21456789F0\r\nL: p:10, a:PCMU\r\n"
        "M: recvonly\r\nX-Anything: at all\r\n\r\nv=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n";
    const auto read = parse(text, {});
    ASSERT_TRUE(read) << read.error();
    ASSERT_EQ(read->size(), 1U);
    const Message& command = read->front();
    EXPECT_TRUE(command.command);
    EXPECT_EQ(command.verb, Verb::create);
    EXPECT_EQ(command.transaction, 1204U);
    EXPECT_EQ(command.endpoint, "aaln/1@rgw-2567.whatever.net");
    EXPECT_EQ(command.call, "a3c47f21456789f0");
    EXPECT_EQ(command.mode, "recvonly");
    EXPECT_EQ(command.description, "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n");
    const auto response = parse("200 1204 OK\nI: FDE234C8\n\nv=0\n\nv=0 second\n", {});
    ASSERT_TRUE(response) << response.error();
    EXPECT_FALSE(response->front().command);
    EXPECT_EQ(response->front().code, 200);
    EXPECT_EQ(response->front().connection, "fde234c8");
    EXPECT_EQ(response->front().description, "v=0\n");
}

TEST(MgcpMessage, SeveralInOneDatagram) { // RFC 3435 3.5.5
    const auto read =
        parse("200 2005 OK\r\n.\r\nDLCX 1244 card23/21@tgw-7.example.net MGCP 1.0\r\nC: A3\r\nI: FD\r\n", {});
    ASSERT_TRUE(read) << read.error();
    ASSERT_EQ(read->size(), 2U);
    EXPECT_EQ((*read)[1].verb, Verb::erase);
    const auto described = parse("200 1\r\nI: 1\r\n\r\nv=0\r\n.\r\n200 2 OK\r\n", {});
    ASSERT_TRUE(described) << described.error();
    ASSERT_EQ(described->size(), 2U);
    EXPECT_EQ((*described)[0].description, "v=0\r\n");
}

TEST(MgcpMessage, WhatIsUnknownPasses) {
    for (const char* text :
         {"RQNT 1 *@gateway44.myplace.com MGCP 0.1\r\n", "XYZ1 7 a@b MGCP 1.0 NCS 1.0\r\nQQ/Q: 1\r\n",
          "200 262662134 \r\n", "510 1 Protocol Error\r\n", "000 5\r\n", "200 7 /L OK\r\nX: y\r\n",
          "AUCX 4 aaln/1@b MGCP 1.0\r\nI:\r\n"}) {
        EXPECT_TRUE(parse(text, {})) << text;
    }
}

TEST(MgcpMessage, WhatBreaksTheGrammarIsNamed) {
    const struct {
        std::string text;
        const char* words;
    } bad[] = {{"", "neither"},
               {"INVITE sip:a@b SIP/2.0\r\n", "neither"},
               {"CRCX 0 a@b MGCP 1.0\r\n", "neither"},
               {"CRCX 1000000000 a@b MGCP 1.0\r\n", "neither"},
               {"CRCX 1 nowhere MGCP 1.0\r\n", "neither"},
               {"CRCX 1 a@b SGCP 1.0\r\n", "neither"},
               {"CRCX 1 a@b MGCP one\r\n", "neither"},
               {"CRCXX 1 a@b MGCP 1.0\r\n", "neither"},
               {"200\r\n", "no transaction"},
               {"CRCX 1 a@b MGCP 1.0\r\nC\r\n", "colon"},
               {"CRCX 1 a@b MGCP 1.0\r\nC: xyz\r\n", "hexadecimal"},
               {"CRCX 1 a@b MGCP 1.0\r\nC: 1\r\nC: 2\r\n", "two C lines"},
               {"CRCX 1 a@b MGCP 1.0\r\nC: " + std::string(33, '1') + "\r\n", "hexadecimal"},
               {std::string("CRCX 1 a@b MGCP 1.0\r\nX: \0\r\n", 27), "NUL"},
               {"CRCX 1 a@b MGCP 1.0\rX: 1\r\n", "CR without LF"},
               {"CRCX 1 a@b MGCP 1.0\r\nX: " + std::string(600, 'x') + "\r\n", "longer than 512"},
               {std::string(5000, '2'), "cap 4096"}};
    for (const auto& each : bad) {
        const auto read = parse(each.text, {});
        ASSERT_FALSE(read) << each.text;
        EXPECT_THAT(read.error(), HasSubstr(each.words)) << each.text;
    }
    std::string many;
    for (int n = 0; n < 9; n++) {
        many += "200 1 OK\r\n.\r\n";
    }
    EXPECT_THAT(parse(many, {}).error(), HasSubstr("more than 8 messages"));
    std::string lines = "200 1 OK\r\n";
    for (int n = 0; n < 70; n++) {
        lines += "X: 1\r\n";
    }
    EXPECT_THAT(parse(lines, {}).error(), HasSubstr("more than 64 lines"));
}

TEST(MgcpMessage, Wildcards) {
    EXPECT_TRUE(covers("aaln/1@gw", "aaln/1@gw"));
    EXPECT_TRUE(covers("*@gw", "aaln/1@gw"));
    EXPECT_TRUE(covers("aaln/*@gw", "aaln/1@gw"));
    EXPECT_TRUE(covers("aaln/*/2@gw", "aaln/1/2@gw"));
    EXPECT_FALSE(covers("*@other", "aaln/1@gw"));
    EXPECT_FALSE(covers("aaln/2@gw", "aaln/1@gw"));
    EXPECT_FALSE(covers("aaln/1@gw", "aaln/1/2@gw"));
    EXPECT_FALSE(covers("aaln/1/2@gw", "aaln/1@gw"));
}

// The call agent is outside, the gateway inside; the other end of the media is outside.
class Mgcp : public ::testing::TestWithParam<bool> {
  protected:
    [[nodiscard]] std::string agent() const { return GetParam() ? "2001:db8:1::11" : "192.0.2.11"; }
    [[nodiscard]] std::string gateway() const { return GetParam() ? "2001:db8:2::50" : "198.51.100.50"; }
    [[nodiscard]] std::string far() const { return GetParam() ? "2001:db8:9::9" : "203.0.113.9"; }
    [[nodiscard]] std::string sdp(const std::string& ip, int port) const {
        const std::string family = GetParam() ? "IP6 " : "IP4 ";
        return "\r\nv=0\r\no=- 1 1 IN " + family + ip + "\r\ns=-\r\nc=IN " + family + ip +
               "\r\nt=0 0\r\nm=audio " + std::to_string(port) + " RTP/AVP 0\r\n";
    }
    // Gives what became of it.
    call::Sent send(stem_direction direction, const std::string& text) {
        auto carrier = std::make_unique<call::TextCarrier>(text);
        const Endpoint outside{.address = *Address::parse(agent()), .port = 2727};
        const Endpoint inside{.address = *Address::parse(gateway()), .port = 2427};
        call::Packet packet;
        packet.direction = direction;
        packet.source = direction == STEM_INBOUND ? outside : inside;
        packet.destination = direction == STEM_INBOUND ? inside : outside;
        packet.payload = carrier->text();
        packet.carrier = std::move(carrier);
        parser->receive(std::move(packet), now);
        const auto sent = egress.take();
        EXPECT_EQ(sent.size(), 1U) << text;
        return sent.empty() ? call::Sent{} : sent.front();
    }
    void command(const std::string& text) {
        EXPECT_EQ(send(STEM_INBOUND, text).how, call::Sent::How::released) << text;
    }
    void response(const std::string& text) {
        EXPECT_EQ(send(STEM_OUTBOUND, text).how, call::Sent::How::released) << text;
    }
    void create(int transaction = 1, const std::string& mode = "sendrecv") {
        command("CRCX " + std::to_string(transaction) + " aaln/1@gw MGCP 1.0\r\nC: A1\r\nM: " + mode +
                "\r\n" + sdp(far(), 4000));
        response("200 " + std::to_string(transaction) + " OK\r\nI: 7\r\n" + sdp(gateway(), 5000));
    }
    static std::uint64_t ns_of(std::chrono::nanoseconds duration) {
        return static_cast<std::uint64_t>(duration.count());
    }
    void pass_time(std::uint64_t ns) {
        now += ns;
        parser->tick(now);
    }

    call::Settings media;
    Settings settings;
    call::FakeEgress egress;
    call::FakeFlows flows;
    std::uint64_t now = 1000 * call::second;
    std::unique_ptr<MgcpParser> parser = std::make_unique<MgcpParser>(settings, media, egress, flows);
};
INSTANTIATE_TEST_SUITE_P(Families, Mgcp, ::testing::Bool(),
                         [](const auto& family) { return family.param ? "v6" : "v4"; });

TEST_P(Mgcp, AConnectionHasPinholesUntilItIsDeleted) {
    create();
    EXPECT_EQ(flows.map.size(), 4U) << "RTP and RTCP, both ways";
    EXPECT_EQ(parser->connections(), 1U);
    command("DLCX 2 aaln/1@gw MGCP 1.0\r\nC: A1\r\nI: 7\r\n");
    EXPECT_EQ(flows.map.size(), 4U) << "until the gateway says so";
    response("250 2 OK\r\nP: PS=100\r\n");
    pass_time(call::second);
    EXPECT_TRUE(flows.map.empty());
    EXPECT_EQ(parser->connections(), 0U);
}

TEST_P(Mgcp, TheFarEndMayBeSaidLater) {
    command("CRCX 1 aaln/1@gw MGCP 1.0\r\nC: A1\r\nM: recvonly\r\n");
    response("200 1 OK\r\nI: 7\r\n" + sdp(gateway(), 5000));
    EXPECT_TRUE(flows.map.empty());
    command("MDCX 2 aaln/1@gw MGCP 1.0\r\nC: A1\r\nI: 7\r\nM: sendrecv\r\n" + sdp(far(), 4000));
    EXPECT_TRUE(flows.map.empty()) << "before the gateway has agreed";
    response("200 2 OK\r\n");
    EXPECT_EQ(flows.map.size(), 4U);
    command("MDCX 3 aaln/1@gw MGCP 1.0\r\nC: A1\r\nI: 7\r\nM: inactive\r\n");
    response("200 3 OK\r\n");
    pass_time(5 * call::second);
    EXPECT_EQ(flows.map.size(), 2U) << "RTCP alone";
}

TEST_P(Mgcp, WildcardEndpointsAreNamedByTheGateway) {
    command("CRCX 1 aaln/$@gw MGCP 1.0\r\nC: A1\r\nM: sendrecv\r\n" + sdp(far(), 4000));
    response("200 1 OK\r\nI: 7\r\nZ: aaln/3@gw\r\n" + sdp(gateway(), 5000));
    EXPECT_EQ(flows.map.size(), 4U);
    command("DLCX 2 aaln/3@gw MGCP 1.0\r\nC: A1\r\n");
    response("250 2 OK\r\n");
    pass_time(call::second);
    EXPECT_TRUE(flows.map.empty());
}

TEST_P(Mgcp, AFailureOpensNothing) {
    command("CRCX 1 aaln/1@gw MGCP 1.0\r\nC: A1\r\nM: sendrecv\r\n" + sdp(far(), 4000));
    response("100 1 wait\r\n");
    response("502 1 no resources\r\n");
    EXPECT_TRUE(flows.map.empty());
    EXPECT_EQ(parser->connections(), 0U);
}

TEST_P(Mgcp, AnswersToNothingAreDropped) {
    EXPECT_EQ(send(STEM_OUTBOUND, "200 9 OK\r\n").reason, STEM_SIP_NO_TRANSACTION);
    command("RQNT 9 aaln/1@gw MGCP 1.0\r\nX: 1\r\n");
    EXPECT_EQ(send(STEM_INBOUND, "200 9 OK\r\n").reason, STEM_SIP_NO_TRANSACTION) << "from the wrong side";
    response("200 9 OK\r\n");
    response("200 9 OK\r\n"); // repeated
    pass_time(31 * call::second);
    EXPECT_EQ(send(STEM_OUTBOUND, "200 9 OK\r\n").reason, STEM_SIP_NO_TRANSACTION) << "too late";
    EXPECT_EQ(parser->transactions(), 0U);
    EXPECT_EQ(send(STEM_INBOUND, "hello\r\n").reason, STEM_SIP_MALFORMED);
}

TEST_P(Mgcp, WhereMediaMayBeIsOnePolicy) {
    const std::string loopback = GetParam() ? "::1" : "127.0.0.1";
    EXPECT_EQ(
        send(STEM_INBOUND, "CRCX 1 aaln/1@gw MGCP 1.0\r\nC: A1\r\nM: sendrecv\r\n" + sdp(loopback, 4000))
            .reason,
        STEM_MEDIA_ADDRESS);
    command("CRCX 2 aaln/1@gw MGCP 1.0\r\nC: A1\r\nM: sendrecv\r\n" + sdp(far(), 4000));
    response("200 2 OK\r\nI: 7\r\n" + sdp(gateway(), 53));
    EXPECT_TRUE(flows.map.empty());
    EXPECT_EQ(egress.counted[STEM_MEDIA_ADDRESS], 1);
}

TEST_P(Mgcp, AGatewayThatStartsAnewHasNoConnections) {
    create();
    EXPECT_EQ(send(STEM_OUTBOUND, "RSIP 77 *@gw MGCP 1.0\r\nRM: restart\r\n").how, call::Sent::How::released);
    pass_time(call::second);
    EXPECT_TRUE(flows.map.empty());
}

TEST_P(Mgcp, SilenceClosesPinholesUntilTheNextChange) {
    create();
    pass_time(59 * call::second);
    for (auto& [key, flow] : flows.map) {
        flow.last_seen_ns = now;
    }
    pass_time(30 * call::second);
    EXPECT_EQ(flows.map.size(), 4U);
    pass_time(31 * call::second);
    EXPECT_TRUE(flows.map.empty());
    command("MDCX 2 aaln/1@gw MGCP 1.0\r\nC: A1\r\nI: 7\r\nM: sendrecv\r\n");
    response("200 2 OK\r\n");
    EXPECT_EQ(flows.map.size(), 4U) << "where both ends are is known still";
    pass_time(61 * call::second);
    EXPECT_TRUE(flows.map.empty());
    EXPECT_EQ(parser->connections(), 1U);
    pass_time(ns_of(media.idle) - 62 * call::second);
    EXPECT_EQ(parser->connections(), 1U);
    pass_time(2 * call::second);
    EXPECT_EQ(parser->connections(), 0U) << "the idle interval counts from the last sign of life";
}

TEST_P(Mgcp, WhoseFarEndRingsIsNotSilent) {
    command("CRCX 1 aaln/1@gw MGCP 1.0\r\nC: A1\r\nM: recvonly\r\n");
    response("200 1 OK\r\nI: 7\r\n" + sdp(gateway(), 5000));
    pass_time(120 * call::second);
    command("MDCX 2 aaln/1@gw MGCP 1.0\r\nC: A1\r\nI: 7\r\nM: sendrecv\r\n" + sdp(far(), 4000));
    response("200 2 OK\r\n");
    EXPECT_EQ(flows.map.size(), 4U);
}

TEST_P(Mgcp, OnHoldNoMediaAreExpected) {
    for (const char* mode : {"recvonly", "sendonly", "inactive"}) {
        SCOPED_TRACE(mode);
        parser = std::make_unique<MgcpParser>(settings, media, egress, flows);
        flows.map.clear();
        create(1, mode);
        const std::size_t open = flows.map.size();
        EXPECT_EQ(open, std::string(mode) == "inactive" ? 2U : 3U) << "RTCP, and RTP one way";
        pass_time(120 * call::second);
        EXPECT_EQ(flows.map.size(), open);
        pass_time(ns_of(media.idle) - 121 * call::second);
        EXPECT_EQ(parser->connections(), 1U);
        for (auto& [key, flow] : flows.map) {
            flow.last_seen_ns = now;
        }
        pass_time(ns_of(media.idle) - call::second);
        EXPECT_EQ(parser->connections(), 1U) << "RTCP is a sign of life";
        pass_time(2 * call::second);
        EXPECT_EQ(parser->connections(), 0U) << "its DLCX may be lost";
        EXPECT_TRUE(flows.map.empty());
    }
}

TEST_P(Mgcp, CountsAreBounded) {
    settings.transactions = 20;
    settings.connections = 2;
    parser = std::make_unique<MgcpParser>(settings, media, egress, flows);
    for (int n = 1; n <= 2; n++) {
        command("CRCX " + std::to_string(n) + " aaln/1@gw MGCP 1.0\r\nC: A1\r\nM: sendrecv\r\n" +
                sdp(far(), 4000));
        response("200 " + std::to_string(n) + " OK\r\nI: " + std::to_string(n) + "\r\n" +
                 sdp(gateway(), 5000 + 2 * n));
    }
    EXPECT_EQ(send(STEM_INBOUND, "CRCX 3 aaln/1@gw MGCP 1.0\r\nC: A1\r\n").reason, STEM_CALL_LIMIT);
    for (int n = 10; n < 28; n++) {
        command("NTFY " + std::to_string(n) + " aaln/1@gw MGCP 1.0\r\n");
    }
    EXPECT_EQ(send(STEM_INBOUND, "NTFY 99 aaln/1@gw MGCP 1.0\r\n").reason, STEM_CALL_LIMIT);
}

TEST_P(Mgcp, ACommandIsAnsweredOnce) {
    create();
    for (int n = 8; n < 12; n++) {
        EXPECT_EQ(
            send(STEM_OUTBOUND, "200 1 OK\r\nI: " + std::to_string(n) + "\r\n" + sdp(gateway(), 6000 + 2 * n))
                .reason,
            STEM_SIP_NO_TRANSACTION);
    }
    EXPECT_EQ(send(STEM_OUTBOUND, "200 1 OK\r\nI: 7\r\nZ: aaln/2@gw\r\n" + sdp(gateway(), 6000)).reason,
              STEM_SIP_NO_TRANSACTION);
    EXPECT_EQ(parser->connections(), 1U);
    response("200 1 OK\r\nI: 7\r\n" + sdp(gateway(), 5000)); // repeated
    response("200 1 OK\r\nI: 7\r\n" + sdp(gateway(), 7000));
    EXPECT_EQ(flows.map.size(), 4U) << "what is said later opens nothing";
    command("DLCX 2 aaln/1@gw MGCP 1.0\r\nC: A1\r\nI: 7\r\n");
    response("250 2 OK\r\n");
    response("200 1 OK\r\nI: 7\r\n" + sdp(gateway(), 5000));
    EXPECT_EQ(parser->connections(), 0U) << "an answer that comes late makes no new one";
    for (int n = 0; n < 3; n++) {
        pass_time(9 * call::second);
        response("200 1 OK\r\nI: 7\r\n" + sdp(gateway(), 5000));
    }
    pass_time(4 * call::second);
    EXPECT_EQ(send(STEM_OUTBOUND, "200 1 OK\r\nI: 7\r\n" + sdp(gateway(), 5000)).reason,
              STEM_SIP_NO_TRANSACTION)
        << "repeating does not make it last";
}

TEST_P(Mgcp, AFailedCommandMakesNoConnectionLater) {
    command("CRCX 1 aaln/1@gw MGCP 1.0\r\nC: A1\r\nM: sendrecv\r\n" + sdp(far(), 4000));
    for (int n = 0; n < 3; n++) {
        response("100 1 wait\r\n");
        pass_time(20 * call::second);
    }
    response("400 1 not now\r\n");
    response("400 1 not now\r\n");
    EXPECT_EQ(send(STEM_OUTBOUND, "200 1 OK\r\nI: 7\r\n" + sdp(gateway(), 5000)).reason,
              STEM_SIP_NO_TRANSACTION);
    EXPECT_EQ(parser->connections(), 0U);
}

TEST_P(Mgcp, AChangeIsOfTheConnectionThatItNames) {
    create();
    command("MDCX 2 aaln/1@gw MGCP 1.0\r\nC: A1\r\nI: 7\r\n");
    EXPECT_EQ(send(STEM_OUTBOUND, "200 2 OK\r\nI: 8\r\n" + sdp(gateway(), 6000)).reason,
              STEM_SIP_NO_TRANSACTION);
    EXPECT_EQ(parser->connections(), 1U);
    response("200 2 OK\r\nI: 7\r\n" + sdp(gateway(), 6000)); // RFC 3435 has no I here; some say it
    pass_time(3 * call::second);
    EXPECT_EQ(flows.map.size(), 4U);
    EXPECT_EQ(parser->connections(), 1U);
    EXPECT_EQ(send(STEM_OUTBOUND, "200 2 OK\r\nI: 9\r\n" + sdp(gateway(), 6000)).reason,
              STEM_SIP_NO_TRANSACTION);
}

TEST_P(Mgcp, AnswersKeepToTheLimitToo) {
    settings.connections = 1;
    parser = std::make_unique<MgcpParser>(settings, media, egress, flows);
    command("CRCX 1 aaln/1@gw MGCP 1.0\r\nC: A1\r\nM: sendrecv\r\n" + sdp(far(), 4000));
    command("CRCX 2 aaln/2@gw MGCP 1.0\r\nC: A1\r\nM: sendrecv\r\n" + sdp(far(), 4100));
    command("MDCX 3 aaln/3@gw MGCP 1.0\r\nC: A2\r\nI: 9\r\nM: sendrecv\r\n" + sdp(far(), 4200));
    response("200 1 OK\r\nI: 7\r\n" + sdp(gateway(), 5000));
    const std::string second = "200 2 OK\r\nI: 8\r\n" + sdp(gateway(), 5100);
    EXPECT_EQ(send(STEM_OUTBOUND, second).reason, STEM_CALL_LIMIT);
    EXPECT_EQ(send(STEM_OUTBOUND, "200 3 OK\r\n" + sdp(gateway(), 5200)).reason, STEM_CALL_LIMIT);
    EXPECT_EQ(parser->connections(), 1U);
    EXPECT_EQ(flows.map.size(), 4U);
    command("DLCX 4 aaln/1@gw MGCP 1.0\r\nC: A1\r\nI: 7\r\n");
    response("250 4 OK\r\n");
    response(second); // asked again, there is room
    EXPECT_EQ(parser->connections(), 1U);
}

TEST_P(Mgcp, CandidatesKeepToThePolicyToo) {
    const std::string forbidden = GetParam() ? "2001:db8:66::1" : "203.0.113.66";
    media.forbidden_media = {*Cidr::parse(forbidden)};
    parser = std::make_unique<MgcpParser>(settings, media, egress, flows);
    const auto ice = [&](const std::string& good) {
        return "a=ice-ufrag:8hhY\r\na=candidate:1 1 UDP 90 " + good +
               " 9000 typ host\r\na=candidate:2 1 UDP 80 " + (GetParam() ? "::1" : "127.0.0.1") +
               " 9000 typ host\r\na=candidate:3 1 UDP 70 " + forbidden +
               " 9000 typ host\r\na=candidate:4 1 UDP 60 " + good + " 53 typ host\r\n";
    };
    command("CRCX 1 aaln/1@gw MGCP 1.0\r\nC: A1\r\nM: sendrecv\r\n" + sdp(far(), 4000) + ice(far()));
    response("200 1 OK\r\nI: 7\r\n" + sdp(gateway(), 5000) + ice(gateway()));
    EXPECT_EQ(flows.map.size(), 6U) << "the connection's own four, and one pair";
    for (const auto& [key, flow] : flows.map) {
        for (const Address& end : {Address(key.src), Address(key.dst)}) {
            EXPECT_TRUE(end.to_string() == far() || end.to_string() == gateway()) << end.to_string();
        }
        EXPECT_TRUE(key.sport >= 4000 && key.dport >= 4000) << key.sport << " to " << key.dport;
    }
}

TEST_P(Mgcp, ABundleHasOnePinhole) { // RFC 9143
    const auto bundled = [&](const std::string& ip, int audio, int video) {
        std::string text = sdp(ip, audio) + "a=mid:a\r\na=rtcp-mux\r\nm=video " + std::to_string(video) +
                           " RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\na=mid:v\r\na=rtcp-mux\r\n";
        return text.replace(text.find("t=0 0"), 5, "t=0 0\r\na=group:BUNDLE a v");
    };
    command("CRCX 1 aaln/1@gw MGCP 1.0\r\nC: A1\r\nM: sendrecv\r\n" + bundled(far(), 4000, 4002));
    response("200 1 OK\r\nI: 7\r\n" + bundled(gateway(), 5000, 5000));
    ASSERT_EQ(flows.map.size(), 2U);
    EXPECT_EQ(flows.map.begin()->second.payload_types[1], 1ULL << 32) << "the picture, too";
    // The far end's answer refuses the sound: the bundle is where the picture is (RFC 9143 7.3.1).
    command("CRCX 2 aaln/1@gw MGCP 1.0\r\nC: A2\r\nM: recvonly\r\n");
    response("200 2 OK\r\nI: 8\r\n" + bundled(gateway(), 6000, 6002));
    command("MDCX 3 aaln/1@gw MGCP 1.0\r\nC: A2\r\nI: 8\r\nM: sendrecv\r\n" + bundled(far(), 0, 4100));
    response("200 3 OK\r\n");
    ASSERT_EQ(flows.map.size(), 4U);
    EXPECT_TRUE(std::ranges::any_of(
        flows.map, [](const auto& entry) { return entry.first.sport == 4100 && entry.first.dport == 6002; }));
}

// A call agent inside, and its gateway outside: nobody learns where that one's media come from.
TEST_P(Mgcp, AGatewayOutsideHasItsMediaAtItsOwnAddress) {
    const std::string relay = GetParam() ? "2001:db8:3::3" : "203.0.113.3";
    media.elsewhere = call::Elsewhere::refuse;
    media.media_relays = {*Cidr::parse(relay)};
    int transaction = 1;
    for (const auto nat : {call::Nat::never, call::Nat::automatic, call::Nat::always}) {
        media.nat = nat;
        parser = std::make_unique<MgcpParser>(settings, media, egress, flows);
        const auto pinholes_to = [&](const std::string& ip, const std::string& more = "") {
            flows.map.clear();
            const std::string number = std::to_string(transaction++);
            EXPECT_EQ(send(STEM_OUTBOUND, "CRCX " + number +
                                              " aaln/1@gw MGCP 1.0\r\nC: A1\r\nM: sendrecv\r\n" +
                                              sdp(gateway(), 5000) + more)
                          .how,
                      call::Sent::How::released);
            command("200 " + number + " OK\r\nI: " + number + "\r\n" + sdp(ip, 4000) + more);
            return flows.map.size();
        };
        EXPECT_EQ(pinholes_to(agent()), 4U);
        EXPECT_EQ(pinholes_to(relay), 4U);
        egress.counted.clear();
        EXPECT_EQ(pinholes_to(far()), 0U);
        EXPECT_EQ(pinholes_to(GetParam() ? "fd00::5" : "192.168.1.5"), 0U);
        EXPECT_EQ(pinholes_to(GetParam() ? "fd00::6" : "100.64.0.6"), 0U);
        EXPECT_EQ(egress.counted[STEM_MEDIA_ADDRESS], 3);
        const std::string ice = "a=ice-ufrag:8hhY\r\na=candidate:1 1 UDP 90 " +
                                std::string(GetParam() ? "fd00::5" : "192.168.1.5") + " 9000 typ host\r\n";
        EXPECT_EQ(pinholes_to(agent(), ice), 4U) << "nor candidates";
    }
}

class Named final : public parser::ProtocolParser {
  public:
    explicit Named(std::string_view name) : name_(name) {}
    [[nodiscard]] std::string_view name() const noexcept override { return name_; }
    void receive(call::Packet packet, std::uint64_t) override { got.push_back(std::move(packet)); }
    void tick(std::uint64_t) override {}

    std::vector<call::Packet> got;

  private:
    std::string_view name_;
};

TEST(Parsers, AreFoundByPort) {
    parser::Parsers parsers;
    call::Packet packet;
    packet.source.port = 2727;
    packet.destination.port = 2427;
    EXPECT_EQ(parsers.parser_of(packet), nullptr);
    const std::uint16_t ports[] = {2427};
    parsers.load(std::make_unique<Named>("mgcp"), ports);
    parsers.load_default(std::make_unique<Named>("sip"));
    EXPECT_EQ(parsers.parser_of(packet)->name(), "mgcp");
    std::swap(packet.source, packet.destination);
    EXPECT_EQ(parsers.parser_of(packet)->name(), "mgcp") << "its answers, too";
    packet.source.port = 5060;
    EXPECT_EQ(parsers.parser_of(packet)->name(), "sip");
}

// A message of a stream is SIP's or nobody's, whatever its ports.
TEST(Parsers, StreamsAreSipsIfThatIsLoaded) {
    const std::uint16_t mgcp[] = {2427, 2727};
    const std::uint16_t sip[] = {5060};
    for (const bool loaded : {true, false}) {
        for (const std::uint16_t to : {std::uint16_t{5060}, std::uint16_t{5070}, std::uint16_t{2427}}) {
            parser::Parsers parsers;
            call::FakeEgress egress;
            auto other = std::make_unique<Named>("mgcp");
            auto own = std::make_unique<Named>("sip");
            const Named& named = *other;
            const Named& of_sip = *own;
            parsers.load(std::move(other), mgcp);
            parsers.keep_for_default(sip);
            if (loaded) {
                parsers.load_default(std::move(own));
            }
            call::Packet packet;
            packet.source.port = 2727;
            packet.destination.port = to;
            packet.transport = call::Transport::tcp;
            parsers.receive(std::move(packet), egress, 0);
            EXPECT_TRUE(named.got.empty());
            EXPECT_EQ(of_sip.got.size(), loaded ? 1U : 0U);
            const auto sent = egress.take();
            ASSERT_EQ(sent.size(), loaded ? 0U : 1U);
            EXPECT_TRUE(loaded || sent[0].reason == STEM_SIP_METHOD);
        }
    }
}

TEST(Parsers, SipPortsGoFirst) {
    const std::uint16_t mgcp[] = {2427, 2727};
    const std::uint16_t sip[] = {5060, 5080};
    for (const bool loaded : {true, false}) {
        parser::Parsers parsers;
        parsers.load(std::make_unique<Named>("mgcp"), mgcp);
        parsers.keep_for_default(sip);
        if (loaded) {
            parsers.load_default(std::make_unique<Named>("sip"));
        }
        const auto parser_between = [&](std::uint16_t from, std::uint16_t to) {
            call::Packet packet;
            packet.source.port = from;
            packet.destination.port = to;
            const parser::ProtocolParser* parser = parsers.parser_of(packet);
            return parser == nullptr ? std::string_view("nobody") : parser->name();
        };
        const std::string_view default_one = loaded ? "sip" : "nobody";
        for (const std::uint16_t client : mgcp) {
            EXPECT_EQ(parser_between(client, 5060), default_one) << "SIP, from " << client;
            EXPECT_EQ(parser_between(5080, client), default_one) << "and its answers to " << client;
            EXPECT_EQ(parser_between(client, 40000), "mgcp");
            EXPECT_EQ(parser_between(40000, client), "mgcp");
        }
        EXPECT_EQ(parser_between(2427, 2727), "mgcp");
    }
}

} // namespace
} // namespace stem::mgcp
