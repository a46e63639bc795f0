// SPDX-License-Identifier: Apache-2.0
// What the link to Security Managers is told. stemd reads it from [sm].
#pragma once

#include "ctl/smlink/on_loss.h"
#include "sm/tls/credentials.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace stem::smlink {

struct Settings {
    std::vector<std::string> servers; // "sm1.example.org:7443", "[2001:db8::9]:7443"; the first is preferred
    tls::Files files;
    std::string name;     // of the instance
    std::string software; // "stemd 0.1.0"
    OnLoss on_loss = OnLoss::hold;
    std::chrono::milliseconds hold{2000};
    std::chrono::seconds retry_after{5}; // told with the 503 (RFC 3261 20.33)
    std::chrono::milliseconds query_timeout{1000};
    std::chrono::milliseconds connect_timeout{3000};
    std::chrono::milliseconds reconnect_min{100};
    std::chrono::milliseconds reconnect_max{10000};
    std::chrono::milliseconds skew{5000};
    std::filesystem::path cache; // file of the snapshot
    std::chrono::seconds cache_max_age{86400};
};

} // namespace stem::smlink
