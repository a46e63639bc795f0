// SPDX-License-Identifier: Apache-2.0
// Asks a Security Manager elsewhere (stem-smd) over HTTPS, and waits for the answer: the same requests as
// ctl/api/client.h, another transport.
#pragma once

#include <stem/error.h>

#include <chrono>
#include <string>

#include "ctl/api/message.h"
#include "sm/tls/credentials.h"

namespace stem::api {

class TlsClient {
  public:
    static constexpr std::chrono::milliseconds default_timeout{10000};

    // `url`: "https://sm1.example.org:7443", "https://[2001:db8::9]:7443".
    TlsClient(std::string url, tls::Files files, std::chrono::milliseconds timeout = default_timeout)
        : url_(std::move(url)), files_(std::move(files)), timeout_(timeout) {}

    // The other side must be a Security Manager: its certificate is of our authority and has the role server.
    [[nodiscard]] Result<Response> ask(const Request& request) const;
    // As ask(), but a status of 400 and above is an error that carries the other side's words.
    [[nodiscard]] Result<std::string> must(const Request& request) const;

  private:
    std::string url_;
    tls::Files files_;
    std::chrono::milliseconds timeout_;
};

} // namespace stem::api
