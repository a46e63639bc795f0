// SPDX-License-Identifier: Apache-2.0
// From a packet to what becomes of it: calls whose messages come in any order, from anyone, with octets
// changed, to the parser, the call monitor and the pinholes. Whatever comes: each packet is settled once,
// none is lost, and what was held is let go of in time.
//
// The input is a list of steps of twelve octets, each one message: which, from where, its CSeq, branch and
// tags, its description, what is changed in its text, and how much time goes by. The mutator works on steps:
// it doubles, drops, swaps and alters them, so that the fuzzer looks for orders of messages and not for the
// letters of SIP.
#include "../tests/unit/call/fakes.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <source_location>

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t room);

namespace stem::call {
namespace {

constexpr std::size_t step_size = 12;
constexpr std::size_t most_steps = 64;

void require(bool holds, std::source_location place = std::source_location::current()) {
    if (!holds) {
        std::fprintf(stderr, "line %u: does not hold\n", static_cast<unsigned>(place.line()));
        std::abort();
    }
}

struct Step {
    std::uint8_t kind;
    std::uint8_t from; // bit 0: the callee's side; bit 1: another address
    std::uint8_t cseq;
    std::uint8_t branch;
    std::uint8_t tag;
    std::uint8_t sdp;
    std::uint8_t edit; // 0: as it is
    std::uint8_t place[2];
    std::uint8_t octet;
    std::uint8_t call;
    std::uint8_t time;
};
static_assert(sizeof(Step) == step_size);

const std::array<std::string, 10> bodies = {
    "",
    "m=audio 10000 RTP/AVP 0 8\r\n",
    "m=audio 10000 RTP/AVP 0\r\na=sendonly\r\n",
    "m=audio 0 RTP/AVP 0\r\nm=image 10000 udptl t38\r\n",
    "a=ice-ufrag:x\r\nm=audio 10000 UDP/TLS/RTP/SAVPF 0\r\na=rtcp-mux\r\na=candidate:1 1 UDP 9 192.0.2.77 "
    "10000 typ host\r\n",
    "a=group:BUNDLE 0 1\r\nm=audio 10000 RTP/AVP 0\r\na=mid:0\r\nm=video 10002 RTP/AVP 96\r\na=mid:1\r\n",
    "m=audio 10000 RTP/AVP 0\r\nc=IN IP4 127.0.0.1\r\n",
    "m=audio 10000 RTP/AVP 0\r\na=inactive\r\n",
    "m=audio 20 RTP/AVP 0\r\n",
    "m=",
};

class World {
  public:
    World() : monitor_(settings(), egress_, flows_, records_, sm_) {}

    void take(const Step& step);
    void finish();

  private:
    static Settings settings() {
        Settings settings;
        settings.max_calls = 32;
        settings.max_held = 8;
        settings.max_transactions = 256;
        return settings;
    }
    [[nodiscard]] std::string text_of(const Step& step) const;
    void edit(const Step& step, std::string& text) const;
    std::size_t settled();

    Script script_;
    FakeEgress egress_;
    FakeFlows flows_;
    FakeRecords records_;
    FakeSm sm_;
    std::size_t given_ = 0;
    std::size_t done_ = 0;
    std::uint64_t now_ = 1000 * second;
    Monitor monitor_;
};

std::string World::text_of(const Step& step) const {
    static constexpr std::array<const char*, 10> methods = {
        "INVITE", "ACK", "BYE", "CANCEL", "UPDATE", "PRACK", "OPTIONS", "REFER", "INFO", "REGISTER"};
    static constexpr std::array<int, 8> statuses = {100, 180, 183, 200, 401, 487, 503, 302};
    Script script = script_;
    script.call_id = "call-" + std::to_string(step.call % 4) + "@test";
    const std::string branch = "z9hG4bK-" + std::to_string(step.branch % 8);
    const std::string tag = step.tag % 4 == 0   ? ""
                            : step.tag % 4 == 1 ? script.callee_tag
                                                : "t" + std::to_string(step.tag % 8);
    const int cseq = step.cseq % 8;
    const std::string& lines = bodies[step.sdp % bodies.size()];
    const std::string body = lines.empty() ? ""
                                           : "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 " +
                                                 script.caller_ip() + "\r\nt=0 0\r\n" + lines;
    const std::string method = methods[step.kind % methods.size()];
    switch (step.kind / methods.size() % 3) {
    case 0:
        return script.request(method, cseq, body, tag, branch);
    case 1:
        return script.callee_request(method, cseq, branch, body);
    default:
        return script.response(statuses[step.octet % statuses.size()], method, cseq, tag, body, branch);
    }
}

void World::edit(const Step& step, std::string& text) const {
    const std::size_t at =
        (std::size_t{step.place[0]} * 256 + step.place[1]) % std::max<std::size_t>(text.size(), 1);
    switch (step.edit % 8) {
    case 1:
        text[at] = static_cast<char>(step.octet);
        break;
    case 2:
        text.erase(at, step.octet % 16);
        break;
    case 3:
        text.insert(at, step.octet % 32, 'x');
        break;
    case 4:
        text.insert(at, text.substr(0, at));
        break;
    case 5:
        text.resize(at);
        break;
    default:
        break;
    }
}

// Packets that are settled for good: an answer of our own is none.
std::size_t World::settled() {
    const auto sent = egress_.take();
    return static_cast<std::size_t>(
        std::ranges::count_if(sent, [](const Sent& each) { return each.how != Sent::How::replied; }));
}

void World::take(const Step& step) {
    std::string text = text_of(step);
    edit(step, text);
    auto carrier = std::make_unique<TextCarrier>(text);
    Packet packet;
    packet.direction = (step.from & 1U) != 0 ? STEM_OUTBOUND : STEM_INBOUND;
    const auto address = [&](bool callee) {
        return *Address::parse(callee ? script_.proxy_ip() : script_.caller_ip());
    };
    packet.source = {.address = (step.from & 2U) != 0 ? *Address::parse("192.0.2.99")
                                                      : address((step.from & 1U) != 0),
                     .port = 5060};
    packet.destination = {.address = address((step.from & 1U) == 0), .port = 5060};
    packet.payload = carrier->text();
    packet.carrier = std::move(carrier);
    ++given_;
    monitor_.receive(std::move(packet), now_);
    now_ += std::uint64_t{step.time} % 64 * (step.time >= 128 ? second : second / 100);
    monitor_.tick(now_);
    done_ += settled();
    const Totals totals = monitor_.totals();
    require(done_ + totals.held + totals.byes_waiting == given_);
    require(flows_.map.size() <= 4096);
}

void World::finish() {
    for (int i = 0; i < 400; i++) {
        now_ += second;
        monitor_.tick(now_);
    }
    done_ += settled();
    require(monitor_.totals().held == 0 && monitor_.totals().byes_waiting == 0 && done_ == given_);
    require(monitor_.totals().transactions <= 256);
}

} // namespace
} // namespace stem::call

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    spdlog::set_level(spdlog::level::off);
    stem::call::World world;
    for (std::size_t steps = 0; size >= stem::call::step_size && steps < stem::call::most_steps; ++steps) {
        stem::call::Step step{};
        std::memcpy(&step, data, sizeof(step));
        world.take(step);
        data += stem::call::step_size;
        size -= stem::call::step_size;
    }
    world.finish();
    return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t room,
                                               unsigned seed) {
    constexpr std::size_t step = stem::call::step_size;
    const std::size_t steps = size / step;
    const std::size_t one = steps == 0 ? 0 : seed / 8 % steps * step;
    const std::size_t other = steps == 0 ? 0 : seed / 512 % steps * step;
    switch (seed % 8) {
    case 0: // once more
        if (steps > 0 && size + step <= room) {
            std::memmove(data + one + step, data + one, size - one);
            return size + step;
        }
        break;
    case 1: // not at all
        if (steps > 1) {
            std::memmove(data + one, data + one + step, size - one - step);
            return size - step;
        }
        break;
    case 2: // in another order
        if (steps > 1) {
            std::swap_ranges(data + one, data + one + step, data + other);
            return size;
        }
        break;
    case 3: // another one behind
        if ((steps + 1) * step <= room) {
            std::memset(data + steps * step, 0, step);
            data[steps * step] = static_cast<std::uint8_t>(seed / 8);
            return (steps + 1) * step;
        }
        break;
    default: // one step's own octets
        if (steps > 0) {
            LLVMFuzzerMutate(data + one, step, step);
            return size;
        }
        break;
    }
    return LLVMFuzzerMutate(data, size, room);
}
