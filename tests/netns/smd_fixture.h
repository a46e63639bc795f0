// SPDX-License-Identifier: Apache-2.0
// A network namespace of its own for stem-smd programs; the parameter says whether they are spoken to over
// IPv6.
#pragma once

#include "lab/netns.h"
#include "tests/expect_ok.h"
#include "tests/netns/manager_host.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <optional>
#include <string>

namespace stem::smd {

class SmdFixture : public testing::TestWithParam<bool> {
  protected:
    // Nothing runs yet.
    void SetUp() override {
        auto netns = lab::Netns::create("smd");
        ASSERT_OK(netns);
        netns_.emplace(std::move(*netns));
        auto host = lab::ManagerHost::create({STEM_STEMCTL, STEM_STEM_SMD}, *netns_);
        ASSERT_OK(host);
        host_.emplace(std::move(*host));
    }
    void start(const std::string& more = "", const std::string& listening = "") {
        ASSERT_OK(host_->start(1, more, listening));
        started_ = true;
    }
    void TearDown() override {
        if (HasFailure() && started_) {
            std::fputs(log().c_str(), stderr);
        }
    }
    [[nodiscard]] static bool v6() { return GetParam(); }
    [[nodiscard]] static std::string loopback() { return v6() ? "[::1]" : "127.0.0.1"; }
    [[nodiscard]] static std::string place() {
        return fmt::format("{}:{}", loopback(), lab::ManagerHost::port(1));
    }
    // Of number 1; "" = it was not started.
    [[nodiscard]] std::string log() const { return started_ ? host_->process(1).errors() : ""; }

    std::optional<lab::Netns> netns_;
    mutable std::optional<lab::ManagerHost> host_;
    bool started_ = false;
};

} // namespace stem::smd
