// SPDX-License-Identifier: Apache-2.0
#include "ctl/stemctl/stemd_client.h"

#include "ctl/api/client.h"
#include "ctl/api/routes.h"
#include "ctl/api/socket_path.h"
#include "ctl/api/tls_client.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace stem::stemctl {

namespace json = boost::json;

namespace {

Result<std::string> ask_remote(const Session& session, const api::Request& request,
                               std::chrono::milliseconds patience) {
    const api::TlsClient client(session.sm,
                                {.certificate = session.sm_certificate,
                                 .key = session.sm_key,
                                 .ca = session.sm_ca,
                                 .crl = session.sm_crl},
                                patience);
    return client.must(request);
}

Result<std::string> ask_local(const Session& session, const api::Request& request,
                              std::chrono::milliseconds patience) {
    if (auto good = kernel::check_instance_name(session.instance); !good) {
        return std::unexpected(good.error());
    }
    const api::Client client(api::socket_path(session.locations().run_dir, session.instance),
                             session.instance, patience);
    return client.must(request);
}

} // namespace

bool goes_to_remote_manager(const Session& session, std::string_view target) {
    return !session.sm.empty() && !api::is_stemds_own(target.substr(0, target.find('?')));
}

Result<json::value> ask_stemd(const Session& session, const std::string& method, const std::string& target,
                              const json::value& body, std::chrono::milliseconds patience) {
    const api::Request request{method, target, body.is_null() ? "" : json::serialize(body)};
    const auto text = goes_to_remote_manager(session, target) ? ask_remote(session, request, patience)
                                                              : ask_local(session, request, patience);
    if (!text) {
        return std::unexpected(text.error());
    }
    if (text->empty()) {
        return json::value();
    }
    json::error_code broken;
    json::value answer = json::parse(*text, broken);
    if (broken) {
        return fail("read stemd's answer to " + method + " " + target, broken.message(),
                    "are stemctl and stemd of one version?");
    }
    return answer;
}

int ask_and_print(const Session& session, const std::string& method, const std::string& target,
                  const json::value& body, const std::function<std::string(const json::value&)>& show) {
    const auto answer = ask_stemd(session, method, target, body);
    if (!answer) {
        return session.failed(answer.error());
    }
    if (session.json) {
        Session::print(answer->is_null() ? json::value(json::object{{"result", "done"}}) : *answer);
    } else {
        Session::print(show(*answer));
    }
    return exit_done;
}

std::string escaped(std::string_view text) {
    constexpr std::string_view plain = "-._~:@";
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            plain.find(c) != std::string_view::npos) {
            out += c;
        } else {
            const auto octet = static_cast<unsigned char>(c);
            out += '%';
            out += digits[octet >> 4U];
            out += digits[octet & 0x0fU];
        }
    }
    return out;
}

std::string query_of(std::initializer_list<std::pair<std::string_view, std::string>> parameters) {
    std::string query;
    for (const auto& [name, value] : parameters) {
        if (!value.empty()) {
            query += query.empty() ? "?" : "&";
            query += std::string(name) + "=" + escaped(value);
        }
    }
    return query;
}

std::string member(const json::value& object, std::string_view name) {
    const auto* fields = object.if_object();
    const auto* value = fields == nullptr ? nullptr : fields->if_contains(name);
    if (value == nullptr || value->is_null()) {
        return {};
    }
    return value->is_string() ? std::string(value->as_string()) : json::serialize(*value);
}

const json::array& members(const json::value& object, std::string_view name) {
    static const json::array none;
    const auto* fields = object.if_object();
    const auto* value = fields == nullptr ? nullptr : fields->if_contains(name);
    return value != nullptr && value->is_array() ? value->get_array() : none;
}

} // namespace stem::stemctl
