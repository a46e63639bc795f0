// SPDX-License-Identifier: Apache-2.0
// A call whose both ends we script, through STEM and Kamailio: for scenes that need exact media ports.
#pragma once

#include <stem/address.h>
#include <stem/error.h>

#include <string>

#include "demo/stage.h"
#include "lab/rtp_endpoint.h"
#include "lab/sip_agent.h"

namespace stem::demo {

struct CallPlan {
    lab::Family family = lab::Family::v4;
    unsigned caller_host = lab::host::first_caller;
    std::string caller = "alice";
    std::string callee = "erin";
    unsigned callee_host = phone::erin;
    std::uint16_t caller_media_port = 24000;
    std::uint16_t callee_media_port = 26000;
};

// The callee's phone: one for all calls of a scene, as a real one would be.
Result<lab::SipAgent> erin_phone(const Stage& stage, lab::Family family, unsigned host = phone::erin);

class ScriptedCall {
  public:
    // INVITE, 180, 200, ACK. `phone` must listen at the callee's address.
    static Result<ScriptedCall> establish(const Stage& stage, const CallPlan& plan,
                                          const lab::SipAgent& phone);

    // BYE by the caller, 200 by the callee.
    Result<> hang_up(const lab::SipAgent& phone);

    // A request of the caller's in its dialog, with all that only its ends know: to be sent by whomever.
    [[nodiscard]] lab::SipRequest request(std::string method, unsigned cseq) const;
    [[nodiscard]] const lab::SipRequest& invite() const { return invite_; }
    [[nodiscard]] const std::string& answer() const { return ok_; } // the 200, as it reached the caller
    [[nodiscard]] const lab::SipAgent& caller() const { return caller_; }
    [[nodiscard]] Endpoint caller_media() const { return caller_media_; }
    [[nodiscard]] Endpoint callee_media() const { return callee_media_; }

    // Real audio from both ends, from now on.
    Result<> talk(const Stage& stage, double caller_rate = 1.0);
    [[nodiscard]] lab::RtpEndpoint& caller_voice() { return *caller_voice_; }
    [[nodiscard]] lab::RtpEndpoint& callee_voice() { return *callee_voice_; }

  private:
    ScriptedCall(lab::SipAgent caller, lab::SipRequest invite, std::string ok, Endpoint proxy,
                 Endpoint caller_media, Endpoint callee_media)
        : caller_(std::move(caller)), invite_(std::move(invite)), ok_(std::move(ok)), proxy_(proxy),
          caller_media_(caller_media), callee_media_(callee_media) {}

    lab::SipAgent caller_;
    lab::SipRequest invite_;
    std::string ok_;
    Endpoint proxy_;
    Endpoint caller_media_;
    Endpoint callee_media_;
    std::optional<lab::RtpEndpoint> caller_voice_;
    std::optional<lab::RtpEndpoint> callee_voice_;
};

} // namespace stem::demo
