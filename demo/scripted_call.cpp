// SPDX-License-Identifier: Apache-2.0
#include "demo/scripted_call.h"

#include <fmt/format.h>

namespace stem::demo {
namespace {

using namespace std::chrono_literals;
constexpr std::uint16_t sip_port = 5060;
constexpr auto patience = 3s;

} // namespace

Result<lab::SipAgent> erin_phone(const Stage& stage, lab::Family family, unsigned host) {
    return lab::SipAgent::create(
        stage.world().inside(),
        Endpoint{.address = stage.world().inside_address(host, family), .port = sip_port});
}

Result<ScriptedCall> ScriptedCall::establish(const Stage& stage, const CallPlan& plan,
                                             const lab::SipAgent& phone) {
    const auto& world = stage.world();
    const Endpoint proxy{.address = world.proxy(plan.family), .port = sip_port};
    const Address caller_address = world.outside_address(plan.caller_host, plan.family);
    auto caller = lab::SipAgent::create(world.outside(), Endpoint{.address = caller_address, .port = 0});
    if (!caller) {
        return std::unexpected(caller.error());
    }
    const Endpoint caller_media{.address = caller_address, .port = plan.caller_media_port};
    const Endpoint callee_media{.address = phone.local().address, .port = plan.callee_media_port};
    const std::string uri = lab::sip_uri(plan.callee, proxy.address);
    const std::string attempt = fmt::format("call {} from {}", uri, caller_media.to_string());

    lab::SipRequest invite = caller->request("INVITE", plan.caller, uri);
    invite.body = lab::sdp(caller_media);
    if (auto sent = caller->send(proxy, invite.text()); !sent) {
        return std::unexpected(sent.error());
    }
    const auto offered = phone.receive_request("INVITE", patience);
    if (!offered) {
        return fail(attempt, "no INVITE reached the phone");
    }
    const std::string tag = lab::unique_token();
    if (auto sent =
            phone.send(offered->from, lab::response_text(offered->text, 180, "Ringing", tag, phone.local()));
        !sent) {
        return std::unexpected(sent.error());
    }
    if (auto sent = phone.send(offered->from, lab::response_text(offered->text, 200, "OK", tag, phone.local(),
                                                                 lab::sdp(callee_media)));
        !sent) {
        return std::unexpected(sent.error());
    }
    const auto ok = caller->receive_final("INVITE", patience);
    if (!ok || lab::status_of(ok->text) != 200) {
        return fail(attempt, ok ? "answered " + std::to_string(lab::status_of(ok->text))
                                : "no final answer reached the caller");
    }
    const auto ack = lab::in_dialog(invite, ok->text, "ACK", lab::unique_branch());
    if (auto sent = caller->send(proxy, ack.text()); !sent) {
        return std::unexpected(sent.error());
    }
    if (!phone.receive_request("ACK", patience)) {
        return fail(attempt, "no ACK reached the phone");
    }
    return ScriptedCall(std::move(*caller), std::move(invite), ok->text, proxy, caller_media, callee_media);
}

lab::SipRequest ScriptedCall::request(std::string method, unsigned cseq) const {
    auto request = lab::in_dialog(invite_, ok_, std::move(method), lab::unique_branch());
    request.cseq = cseq;
    return request;
}

Result<> ScriptedCall::hang_up(const lab::SipAgent& phone) {
    const auto bye = lab::in_dialog(invite_, ok_, "BYE", lab::unique_branch());
    if (auto sent = caller_.send(proxy_, bye.text()); !sent) {
        return sent;
    }
    const auto received = phone.receive_request("BYE", patience);
    if (!received) {
        return fail("hang up", "no BYE reached the phone");
    }
    if (auto sent = phone.send(received->from, lab::response_text(received->text, 200, "OK")); !sent) {
        return sent;
    }
    const auto ok = caller_.receive_final("BYE", patience);
    if (!ok || lab::status_of(ok->text) != 200) {
        return fail("hang up", "no 200 to the BYE reached the caller");
    }
    return {};
}

Result<> ScriptedCall::talk(const Stage& stage, double caller_rate) {
    auto caller = lab::RtpEndpoint::open(
        stage.world().outside(), {{.local = caller_media_, .remote = callee_media_, .rate = caller_rate}});
    if (!caller) {
        return std::unexpected(caller.error());
    }
    auto callee =
        lab::RtpEndpoint::open(stage.world().inside(), {{.local = callee_media_, .remote = caller_media_}});
    if (!callee) {
        return std::unexpected(callee.error());
    }
    caller_voice_.emplace(std::move(*caller));
    callee_voice_.emplace(std::move(*callee));
    caller_voice_->send_all();
    callee_voice_->send_all();
    return {};
}

} // namespace stem::demo
