// SPDX-License-Identifier: Apache-2.0
#include "phone_crowd.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace stem::test {
namespace {

using namespace std::chrono_literals;
constexpr auto t1 = 500ms; // RFC 3261 17.1.2.2
constexpr auto t2 = 4s;
constexpr auto timer_f = 64 * t1;
constexpr int unauthorized = 401;

} // namespace

std::string registrar_uri(const Address& registrar) {
    return fmt::format(fmt::runtime(registrar.is_v4() ? "sip:{}" : "sip:[{}]"), registrar.to_string());
}

void ChallengingRegistrar::serve() const {
    while (const auto request = agent_.receive(0ms)) {
        if (lab::method_of(request->text) != "REGISTER" || lab::status_of(request->text) != 0) {
            continue;
        }
        std::string response;
        if (!lab::header_of(request->text, "Authorization")) {
            response = lab::response_text(request->text, unauthorized, "Unauthorized", "r");
            response.insert(response.find("\r\n") + 2,
                            "WWW-Authenticate: Digest realm=\"test\", nonce=\"84a4cc6f\", qop=\"auth\"\r\n");
        } else {
            response = lab::response_text(request->text, 200, "OK", "r");
            response.insert(response.find("\r\n") + 2,
                            "Contact: " + lab::header_of(request->text, "Contact").value_or("") +
                                ";expires=3600\r\n");
        }
        (void)agent_.send(request->from, response);
    }
}

PhoneCrowd::PhoneCrowd(std::vector<lab::SipAgent> sockets, std::size_t phones, const Endpoint& registrar)
    : sockets_(std::move(sockets)), registrar_(registrar) {
    for (std::size_t i = 0; i < phones; i++) {
        Phone phone;
        phone.socket = i % sockets_.size();
        const std::string user = fmt::format("phone{}", i);
        phone.request = sockets_[phone.socket].request("REGISTER", user, registrar_uri(registrar.address));
        phone.request.to = phone.request.from;
        phone.request.call_id = fmt::format("{}@crowd", i);
        phones_.push_back(std::move(phone));
    }
    for (Phone& phone : phones_) {
        begin_transaction(phone);
    }
}

void PhoneCrowd::begin_transaction(Phone& phone) {
    phone.request.branch = lab::unique_branch();
    phone.begun = Clock::now();
    phone.due = phone.begun;
    phone.wait = t1;
}

void PhoneCrowd::transmit(Phone& phone) {
    (void)sockets_[phone.socket].send(registrar_, phone.request.text());
    sent_++;
    phone.due = Clock::now() + phone.wait;
    phone.wait = std::min<Clock::duration>(phone.wait * 2, t2);
}

void PhoneCrowd::answered(std::string_view response) {
    const auto call_id = lab::header_of(response, "Call-ID");
    std::size_t number = phones_.size();
    if (call_id) {
        std::from_chars(call_id->data(), call_id->data() + call_id->size(), number);
    }
    if (number >= phones_.size() || phones_[number].done) {
        return;
    }
    Phone& phone = phones_[number];
    if (lab::header_of(response, "CSeq") != fmt::format("{} REGISTER", phone.request.cseq)) {
        return; // to the transaction before
    }
    const int status = lab::status_of(response);
    if (status == unauthorized && !phone.challenged) {
        phone.challenged = true;
        phone.request.cseq++;
        phone.request.headers.emplace_back(
            "Authorization: Digest username=\"a\", realm=\"test\", nonce=\"84a4cc6f\", uri=\"sip:test\", "
            "response=\"6629fae49393a05397450978507c4ef1\"");
        begin_transaction(phone);
    } else if (status == 200) {
        phone.done = true;
        registered_++;
    }
}

void PhoneCrowd::run() {
    const auto now = Clock::now();
    for (Phone& phone : phones_) {
        if (phone.done || phone.due > now) {
            continue;
        }
        if (now - phone.begun > timer_f) {
            gave_up_++;
            begin_transaction(phone);
        }
        transmit(phone);
    }
    for (const lab::SipAgent& socket : sockets_) {
        while (const auto response = socket.receive(0ms)) {
            answered(response->text);
        }
    }
}

} // namespace stem::test
