// SPDX-License-Identifier: Apache-2.0
// A world around the call monitor that a test can see into: packets are strings, maps are maps.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ctl/call/monitor.h"
#include "ctl/call/pinholes.h"

namespace stem::call {

class TextCarrier final : public Carrier {
  public:
    explicit TextCarrier(std::string text) : text_(std::move(text)) {}
    [[nodiscard]] const std::string& text() const { return text_; }

  private:
    std::string text_;
};

struct Sent {
    enum class How { released, rewritten, replied, dropped, monitored } how;
    std::string text;
    stem_reason reason = STEM_CONTINUE;
    stem_direction direction = STEM_INBOUND;
};

class FakeEgress final : public Egress {
  public:
    void release(Packet packet) noexcept override {
        sent.push_back(
            {Sent::How::released, std::string(packet.payload), STEM_SIP_RELEASED, packet.direction});
    }
    void release_rewritten(Packet packet, sip::Span span, std::string_view uri) noexcept override {
        std::string text(packet.payload);
        text.replace(span.offset, span.length, uri);
        sent.push_back({Sent::How::rewritten, text, STEM_SIP_REWRITTEN, packet.direction});
    }
    void reply(const Packet& to, std::string_view message) noexcept override {
        sent.push_back({Sent::How::replied, std::string(message), STEM_CONTINUE, to.direction});
    }
    void drop(Packet packet, stem_reason reason, std::string_view) noexcept override {
        sent.push_back({Sent::How::dropped, std::string(packet.payload), reason, packet.direction});
    }
    void release_monitored(Packet packet, stem_reason reason, std::string_view) noexcept override {
        sent.push_back({Sent::How::monitored, std::string(packet.payload), reason, packet.direction});
    }
    void note_monitored(stem_reason reason, stem_direction, std::string_view) noexcept override {
        noted[reason]++;
    }
    void count(stem_reason reason, stem_direction) noexcept override { counted[reason]++; }

    // What the last message led to; the list is emptied.
    std::vector<Sent> take() { return std::exchange(sent, {}); }

    std::vector<Sent> sent;
    std::map<stem_reason, int> counted;
    std::map<stem_reason, int> noted;
};

class FakeFlows final : public FlowStore {
  public:
    Result<> put(const stem_flow_key& key, const stem_flow& flow) override {
        if (full) {
            return fail("put flow", "map is full");
        }
        map[key] = flow;
        return {};
    }
    void erase(const stem_flow_key& key) override { map.erase(key); }
    std::optional<stem_flow> get(const stem_flow_key& key) override {
        gets++;
        const auto found = map.find(key);
        return found == map.end() ? std::nullopt : std::optional(found->second);
    }
    void for_each(const std::function<void(const stem_flow_key&, const stem_flow&)>& visit) override {
        for (const auto& [key, flow] : map) {
            visit(key, flow);
        }
    }

    Result<> put_learning(const stem_learning_key& key, const stem_learning& entry) override {
        if (full) {
            return fail("put learning entry", "map is full");
        }
        learnings[key] = entry;
        return {};
    }
    void erase_learning(const stem_learning_key& key) override { learnings.erase(key); }
    std::optional<stem_learning> get_learning(const stem_learning_key& key) override {
        const auto found = learnings.find(key);
        return found == learnings.end() ? std::nullopt : std::optional(found->second);
    }
    std::uint32_t total_kbps() override { return kbps; }

    Flows map;
    Learnings learnings;
    bool full = false;
    std::uint32_t kbps = 0;
    unsigned gets = 0;
};

class FakeRecords final : public RecordStore {
  public:
    Result<> put(std::uint64_t id, const stem_dialog& record) override {
        map[id] = record;
        return {};
    }
    void erase(std::uint64_t id) override { map.erase(id); }
    void for_each(const std::function<void(std::uint64_t, const stem_dialog&)>& visit) override {
        for (const auto& [id, record] : map) {
            visit(id, record);
        }
    }

    std::map<std::uint64_t, stem_dialog> map;
};

class FakeSm final : public sm::Link {
  public:
    void decide(const sm::Query& query, std::function<void(sm::Decision)> done) override {
        queries.push_back(query);
        if (late) {
            waiting.push_back(std::move(done));
        } else {
            done(decision);
        }
    }
    void learn(const Binding& binding) override { bindings.push_back(binding); }
    void report(const StreamEnd& end) override { ends.push_back(end); }
    void follow(const CallEvent& event) override { events.push_back(event); }

    sm::Decision decision{.action = sm::Accept{}, .user = "bob", .why = "test"};
    bool late = false;
    std::vector<sm::Query> queries;
    std::vector<std::function<void(sm::Decision)>> waiting;
    std::vector<Binding> bindings;
    std::vector<StreamEnd> ends;
    std::vector<CallEvent> events;
};

// One call's messages. The caller is outside at .11, the callee behind a proxy inside at .5.
struct Script {
    bool v6 = false;
    std::string call_id = "call-1@test";
    std::string branch = "z9hG4bK-1";
    std::string caller_tag = "alice-1";
    std::string callee_tag = "bob-1";
    std::string caller_media_port = "10000";
    std::string callee_media_port = "20000";

    [[nodiscard]] std::string caller_ip() const { return v6 ? "2001:db8:1::11" : "192.0.2.11"; }
    [[nodiscard]] std::string callee_ip() const { return v6 ? "2001:db8:1::50" : "192.0.2.50"; }
    [[nodiscard]] std::string proxy_ip() const { return v6 ? "2001:db8:1::5" : "192.0.2.5"; }

    [[nodiscard]] static std::string host(const std::string& ip) {
        return ip.find(':') == std::string::npos ? ip : "[" + ip + "]";
    }
    [[nodiscard]] std::string sdp(const std::string& ip, const std::string& port,
                                  const std::string& more = "") const {
        const std::string family = v6 ? "IP6 " : "IP4 ";
        return "v=0\r\no=- 1 1 IN " + family + ip + "\r\ns=-\r\nc=IN " + family + ip +
               "\r\nt=0 0\r\nm=audio " + port + " RTP/AVP 0 8\r\n" + more;
    }
    // Sound and pictures on one port (RFC 9143); `audio`, `video`: more lines of each.
    [[nodiscard]] std::string bundle(const std::string& ip, const std::string& port,
                                     const std::string& audio = "", const std::string& video = "") const {
        std::string text =
            sdp(ip, port,
                "a=mid:0\r\na=rtcp-mux\r\n" + audio + "m=video " + port +
                    " RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\na=mid:1\r\na=rtcp-mux\r\n" + video);
        return text.insert(text.find("m=audio"), "a=group:BUNDLE 0 1\r\n");
    }
    [[nodiscard]] std::string caller_sdp(const std::string& more = "") const {
        return sdp(caller_ip(), caller_media_port, more);
    }
    [[nodiscard]] std::string callee_sdp(const std::string& more = "") const {
        return sdp(callee_ip(), callee_media_port, more);
    }
    [[nodiscard]] static std::string with_body(std::string head, const std::string& body) {
        if (!body.empty()) {
            head += "Content-Type: application/sdp\r\n";
        }
        return head + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    }
    // A request of the caller's; `to_tag` "" outside a dialog.
    [[nodiscard]] std::string request(const std::string& method, int cseq, const std::string& body = "",
                                      const std::string& to_tag = "",
                                      const std::string& via_branch = "") const {
        return with_body(method + " sip:bob@" + host(proxy_ip()) + " SIP/2.0\r\n" + "Via: SIP/2.0/UDP " +
                             host(caller_ip()) +
                             ":5060;branch=" + (via_branch.empty() ? branch : via_branch) + "\r\n" +
                             "Max-Forwards: 70\r\n" + "From: <sip:alice@example.org>;tag=" + caller_tag +
                             "\r\nTo: <sip:bob@example.org>" + (to_tag.empty() ? "" : ";tag=" + to_tag) +
                             "\r\nCall-ID: " + call_id + "\r\nCSeq: " + std::to_string(cseq) + " " + method +
                             "\r\nContact: <sip:alice@" + host(caller_ip()) + ">\r\n",
                         body);
    }
    // A request of the callee's, inside the dialog.
    [[nodiscard]] std::string callee_request(const std::string& method, int cseq,
                                             const std::string& via_branch,
                                             const std::string& body = "") const {
        return with_body(method + " sip:alice@" + host(caller_ip()) + " SIP/2.0\r\n" + "Via: SIP/2.0/UDP " +
                             host(proxy_ip()) + ":5060;branch=" + via_branch + "\r\nMax-Forwards: 70\r\n" +
                             "From: <sip:bob@example.org>;tag=" + callee_tag +
                             "\r\nTo: <sip:alice@example.org>;tag=" + caller_tag + "\r\nCall-ID: " + call_id +
                             "\r\nCSeq: " + std::to_string(cseq) + " " + method + "\r\nContact: <sip:bob@" +
                             host(callee_ip()) + ">\r\n",
                         body);
    }
    // A response to a request of the caller's.
    [[nodiscard]] std::string response(int status, const std::string& method, int cseq,
                                       const std::string& tag, const std::string& body = "",
                                       const std::string& via_branch = "") const {
        return with_body("SIP/2.0 " + std::to_string(status) + " Whatever\r\n" + "Via: SIP/2.0/UDP " +
                             host(caller_ip()) +
                             ":5060;branch=" + (via_branch.empty() ? branch : via_branch) +
                             "\r\nFrom: <sip:alice@example.org>;tag=" + caller_tag +
                             "\r\nTo: <sip:bob@example.org>" + (tag.empty() ? "" : ";tag=" + tag) +
                             "\r\nCall-ID: " + call_id + "\r\nCSeq: " + std::to_string(cseq) + " " + method +
                             "\r\nContact: <sip:bob@" + host(callee_ip()) + ">\r\n",
                         body);
    }
};

constexpr std::uint64_t second = 1'000'000'000;

class MonitorTest : public ::testing::Test {
  protected:
    MonitorTest() { restart(); }

    void restart() { monitor = std::make_unique<Monitor>(settings, egress, flows, records, sm); }

    // `to`: "" = the other side of the script.
    std::vector<Sent> feed(stem_direction direction, const std::string& text, const std::string& from,
                           const std::string& to = "", std::uint16_t port = 5060) {
        auto carrier = std::make_unique<TextCarrier>(text);
        Packet packet;
        packet.direction = direction;
        packet.source = {.address = *Address::parse(from), .port = port};
        const auto other = direction == STEM_INBOUND ? script.proxy_ip() : script.caller_ip();
        packet.destination = {.address = *Address::parse(to.empty() ? other : to), .port = 5060};
        packet.payload = carrier->text();
        packet.carrier = std::move(carrier);
        monitor->receive(std::move(packet), now);
        return egress.take();
    }
    std::vector<Sent> from_caller(const std::string& text) {
        return feed(STEM_INBOUND, text, script.caller_ip());
    }
    std::vector<Sent> from_callee(const std::string& text) {
        return feed(STEM_OUTBOUND, text, script.proxy_ip());
    }

    void pass_time(std::uint64_t ns) {
        now += ns;
        monitor->tick(now);
    }

    // INVITE, 180, 200, ACK.
    void establish() {
        expect_released(from_caller(script.request("INVITE", 1, script.caller_sdp())));
        expect_released(from_callee(script.response(180, "INVITE", 1, script.callee_tag)));
        expect_released(
            from_callee(script.response(200, "INVITE", 1, script.callee_tag, script.callee_sdp())));
        expect_released(from_caller(script.request("ACK", 1, "", script.callee_tag, "z9hG4bK-ack")));
    }

    static void expect_released(const std::vector<Sent>& sent) {
        ASSERT_EQ(sent.size(), 1U);
        EXPECT_EQ(sent[0].how, Sent::How::released) << label(sent[0].reason) << "\n" << sent[0].text;
    }
    static void expect_dropped(const std::vector<Sent>& sent, stem_reason reason) {
        ASSERT_EQ(sent.size(), 1U);
        EXPECT_EQ(sent[0].how, Sent::How::dropped);
        EXPECT_EQ(label(sent[0].reason), label(reason));
    }
    static int label(stem_reason reason) { return static_cast<int>(reason); }

    [[nodiscard]] stem_flow_key key(const std::string& src, const std::string& sport, const std::string& dst,
                                    const std::string& dport, stem_direction direction) const {
        stem_flow_key made{};
        made.src = Address::parse(src)->raw();
        made.dst = Address::parse(dst)->raw();
        made.sport = static_cast<std::uint16_t>(std::stoi(sport));
        made.dport = static_cast<std::uint16_t>(std::stoi(dport));
        made.direction = static_cast<std::uint8_t>(direction);
        made.protocol = 17;
        return made;
    }
    [[nodiscard]] std::string only_state() const {
        const auto all = monitor->dialogs();
        return all.size() == 1 ? all[0].state : "dialogs: " + std::to_string(all.size());
    }

    Script script;
    Settings settings;
    FakeEgress egress;
    FakeFlows flows;
    FakeRecords records;
    FakeSm sm;
    std::unique_ptr<Monitor> monitor;
    std::uint64_t now = 1000 * second;
};

// The same over IPv4 and IPv6.
class MonitorFamilyTest : public MonitorTest, public ::testing::WithParamInterface<bool> {
  protected:
    MonitorFamilyTest() { script.v6 = GetParam(); }
};

inline std::string family_name(const ::testing::TestParamInfo<bool>& family) {
    return family.param ? "v6" : "v4";
}

} // namespace stem::call
