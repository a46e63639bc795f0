// SPDX-License-Identifier: Apache-2.0
#include "ctl/sip/message.h"

#include "ctl/sip/grammar.h"
#include "ctl/sip/mime.h"
#include "ctl/sip/osip_headers.h"
#include "ctl/sip/prescan.h"

#include <fmt/core.h>

#include <algorithm>

namespace stem::sip {
namespace {

using Failure = std::optional<Rejection>;

// A tag or a branch. Quotes, blanks and brackets are what parsers disagree about.
Failure read_identifier(std::string_view what, const OsipParameters& parameters, std::string_view name,
                        const Limits& limits, std::string& identifier) {
    const auto found = parameters.find(name);
    if (found.count > 1) {
        return malformed(fmt::format("{}: two {} parameters", what, name));
    }
    if (found.count == 1 && found.value.empty()) { // RFC 3261 25.1: "=" and a token belong to it
        return malformed(fmt::format("{}: {} without a value", what, name));
    }
    if (found.value.size() > limits.identifier / 2) {
        return over_limit(fmt::format("{}: {} of {} octets, cap {}", what, name, found.value.size(),
                                      limits.identifier / 2));
    }
    if (found.value.find_first_of("\" \t<>,;") != std::string_view::npos) {
        return malformed(fmt::format("{}: {} {} is no token", what, name, quoted(found.value)));
    }
    identifier = found.value;
    return std::nullopt;
}

// Our reading of a URI; where libosip2's names another host or port, someone behind us may read it so too.
Failure read_address(std::string_view what, std::string_view text, const osip_uri_t* theirs, Uri& uri) {
    auto ours = parse_uri(text);
    if (!ours || theirs == nullptr) {
        return malformed(fmt::format("{}: {} is no URI", what, quoted(text)));
    }
    if ((ours->scheme == "sip" || ours->scheme == "sips") && theirs->host != nullptr) {
        const auto port = number_up_to(text_of(theirs->port), 65535).value_or(0);
        if (!same_ignoring_case(ours->host, theirs->host) || ours->port != port) {
            return malformed(fmt::format("{}: {} can be read in two ways", what, quoted(text)));
        }
    }
    uri = *std::move(ours);
    return std::nullopt;
}

Failure read_party(HeaderKind kind, const Scan& scan, const osip_from_t* theirs, const Limits& limits,
                   Uri& uri, std::string& tag) {
    const auto value = std::ranges::find(scan.values, kind, &HeaderValue::kind);
    if (theirs == nullptr || value == scan.values.end()) {
        return malformed(fmt::format("no {} header", name_of(kind)));
    }
    // No grammar ends so, and a tag that we add in a response would become a part of it.
    if (value->text.ends_with(';') || value->text.ends_with('=')) {
        return malformed(fmt::format("{}: {}: a parameter cut short", name_of(kind), quoted(value->text)));
    }
    if (auto bad = read_address(name_of(kind), value->address, theirs->url, uri)) {
        return bad;
    }
    return read_identifier(name_of(kind), OsipParameters(theirs->gen_params), "tag", limits, tag);
}

Failure read_via(const osip_via_t& theirs, const Limits& limits, Via& via) {
    // libosip2 calls the transport "protocol"; that of "SIP/2.0/UDP" it has checked.
    if (text_of(theirs.version) != "2.0") {
        return malformed(fmt::format("Via: version {} is not 2.0", quoted(text_of(theirs.version))));
    }
    via.transport = text_of(theirs.protocol);
    std::ranges::transform(via.transport, via.transport.begin(), [](char octet) {
        return octet >= 'a' && octet <= 'z' ? static_cast<char>(octet - ('a' - 'A')) : octet;
    });
    if (!all_of_class(via.transport, class_token)) {
        return malformed(fmt::format("Via: transport {} is no token", quoted(via.transport)));
    }
    std::string_view host = trimmed(text_of(theirs.host));
    if (host.starts_with('[') && host.ends_with(']')) {
        host = host.substr(1, host.size() - 2);
    }
    const auto fits = [](char octet) { return is_of(octet, class_host) || octet == ':'; };
    if (host.empty() || !std::ranges::all_of(host, fits)) {
        return malformed(fmt::format("Via: host {}", quoted(host)));
    }
    via.host = lowered(host);
    if (theirs.port != nullptr) {
        const auto port = number_up_to(trimmed(theirs.port), 65535);
        if (!port || *port == 0 || *port > 65535) {
            return malformed(fmt::format("Via: port {} is not in 1 to 65535", quoted(theirs.port)));
        }
        via.port = static_cast<std::uint16_t>(*port);
    }
    return read_identifier("Via", OsipParameters(theirs.via_params), "branch", limits, via.branch);
}

Failure read_vias(const Scan& scan, const osip_message_t& theirs, const Limits& limits,
                  std::vector<Via>& vias) {
    const auto list = items_of<osip_via_t>(theirs.vias);
    const auto ours = std::ranges::count(scan.values, HeaderKind::via, &HeaderValue::kind);
    if (static_cast<std::size_t>(ours) != list.size() || list.empty()) {
        return malformed(fmt::format("Via: {} values, of which {} can be read", ours, list.size()));
    }
    vias.resize(list.size());
    for (std::size_t at = 0; at < list.size(); ++at) {
        if (auto bad = read_via(*list[at], limits, vias[at])) {
            return bad;
        }
    }
    return std::nullopt;
}

Failure read_contact(const HeaderValue& value, const osip_contact_t& theirs, Contact& contact) {
    if (value.text == "*") {
        contact.wildcard = true;
        return std::nullopt;
    }
    if (auto bad = read_address("Contact", value.address, theirs.url, contact.uri)) {
        return bad;
    }
    const OsipParameters parameters(theirs.gen_params);
    const auto expires = parameters.find("expires");
    if (expires.count > 1) {
        return malformed("Contact: two expires parameters");
    }
    // RFC 3261 10.2.1.1: what is no number counts as not said.
    if (const auto seconds = number_up_to(expires.value, 0xffffffff)) {
        contact.expires = static_cast<std::uint32_t>(std::min<std::uint64_t>(*seconds, 0xffffffff));
    }
    const auto preference = parameters.find("q");
    if (preference.count > 1) {
        return malformed("Contact: two q parameters");
    }
    contact.q = QValue::parse(preference.value);
    return std::nullopt;
}

Failure read_contacts(const Scan& scan, const osip_message_t& theirs, std::vector<Contact>& contacts) {
    const auto list = items_of<osip_contact_t>(theirs.contacts);
    contacts.reserve(list.size());
    for (const HeaderValue& value : scan.values) {
        if (value.kind != HeaderKind::contact) {
            continue;
        }
        if (contacts.size() == list.size()) {
            return malformed(fmt::format("Contact: more values than the {} that can be read", list.size()));
        }
        const osip_contact_t& item = *list[contacts.size()];
        if (auto bad = read_contact(value, item, contacts.emplace_back())) {
            return bad;
        }
    }
    if (contacts.size() != list.size()) {
        return malformed(fmt::format("Contact: {} values, read as {}", contacts.size(), list.size()));
    }
    return std::nullopt;
}

// delta-seconds, or RSeq's number; parameters after ";" are another's.
Failure read_number(const Scan& scan, HeaderKind kind, std::optional<std::uint32_t>& number) {
    const Header* header = scan.find(kind);
    if (header == nullptr) {
        return std::nullopt;
    }
    const std::string_view digits = trimmed(header->value.substr(0, header->value.find(';')));
    const auto value = number_up_to(digits, 0xffffffff);
    if (!value) {
        return malformed(fmt::format("{}: {}: not a number", name_of(kind), quoted(header->value)));
    }
    number = static_cast<std::uint32_t>(std::min<std::uint64_t>(*value, 0xffffffff)); // RFC 3261 20.19
    return std::nullopt;
}

// RAck = response-num LWS CSeq-num LWS Method
Failure read_rack(const Scan& scan, std::optional<ReliableAck>& rack) {
    const Header* header = scan.find(HeaderKind::rack);
    if (header == nullptr) {
        return std::nullopt;
    }
    std::string_view rest = header->value;
    const auto next = [&rest] {
        const std::size_t end = std::min(rest.find_first_of(" \t"), rest.size());
        const std::string_view word = rest.substr(0, end);
        rest = trimmed(rest.substr(end));
        return word;
    };
    constexpr std::uint64_t most = 0xffffffff;
    const auto rseq = number_up_to(next(), most);
    const auto cseq = number_up_to(next(), most);
    if (!rseq || !cseq || *rseq > most || *cseq > most || !all_of_class(rest, class_token)) {
        return malformed(fmt::format("RAck: {}: not two numbers and a method", quoted(header->value)));
    }
    rack = ReliableAck{.rseq = static_cast<std::uint32_t>(*rseq),
                       .cseq = static_cast<std::uint32_t>(*cseq),
                       .method = std::string(rest)};
    return std::nullopt;
}

// Replaces = callid *( SEMI replaces-param ); both tags must be there, and once (RFC 3891 6.1).
Failure read_replaces(const Scan& scan, std::optional<ReplacedDialog>& replaces) {
    const Header* header = scan.find(HeaderKind::replaces);
    if (header == nullptr) {
        return std::nullopt;
    }
    std::string_view rest = header->value;
    const auto next = [&rest] {
        const std::size_t end = std::min(rest.find(';'), rest.size());
        const std::string_view part = trimmed(rest.substr(0, end));
        rest = end == rest.size() ? std::string_view() : rest.substr(end + 1);
        return part;
    };
    ReplacedDialog dialog{.call_id = std::string(next()), .to_tag = {}, .from_tag = {}};
    bool twice = false;
    while (!rest.empty()) {
        const std::string_view part = next();
        const std::size_t equals = part.find('=');
        const std::string_view name = trimmed(part.substr(0, equals));
        const std::string_view value =
            equals == std::string_view::npos ? std::string_view() : trimmed(part.substr(equals + 1));
        if (same_ignoring_case(name, "to-tag")) {
            twice = twice || !dialog.to_tag.empty();
            dialog.to_tag = value;
        } else if (same_ignoring_case(name, "from-tag")) {
            twice = twice || !dialog.from_tag.empty();
            dialog.from_tag = value;
        } else if (same_ignoring_case(name, "early-only")) {
            dialog.early_only = true;
        }
    }
    if (twice || dialog.call_id.empty() || dialog.to_tag.empty() || dialog.from_tag.empty()) {
        return malformed(
            fmt::format("Replaces: {}: not a Call-ID, one to-tag and one from-tag", quoted(header->value)));
    }
    replaces = std::move(dialog);
    return std::nullopt;
}

// Refer-To = ( name-addr / addr-spec ): one, and nothing but a URI is read of it.
Failure read_refer_to(const Scan& scan, std::optional<Uri>& refer_to) {
    const Header* header = scan.find(HeaderKind::refer_to);
    if (header == nullptr) {
        return std::nullopt;
    }
    std::string_view text = header->value;
    if (const std::size_t open = text.rfind('<'); open != std::string_view::npos) {
        text = text.substr(open + 1);
        text = text.substr(0, text.find('>'));
    } else {
        text = trimmed(text.substr(0, text.find(';')));
    }
    refer_to = parse_uri(text);
    if (!refer_to) {
        return malformed(fmt::format("Refer-To: {} is no URI", quoted(header->value)));
    }
    return std::nullopt;
}

// What cannot be read is no hop that we could recognise; libosip2 has looked at its form.
void read_record_route(const Scan& scan, std::vector<std::string>& hosts) {
    for (const HeaderValue& value : scan.values) {
        if (value.kind == HeaderKind::record_route) {
            if (auto uri = parse_uri(value.address); uri) {
                hosts.push_back(std::move(uri->host));
            }
        }
    }
}

// media-type = type SLASH subtype *( SEMI parameter )
Failure read_content_type(const Scan& scan, std::string& content_type) {
    const Header* header = scan.find(HeaderKind::content_type);
    if (header == nullptr) {
        return std::nullopt;
    }
    const std::string_view text = header->value.substr(0, header->value.find(';'));
    const std::size_t slash = text.find('/');
    const std::string_view type = trimmed(text.substr(0, slash));
    const std::string_view subtype =
        slash == std::string_view::npos ? std::string_view() : trimmed(text.substr(slash + 1));
    if (!all_of_class(type, class_token) || !all_of_class(subtype, class_token)) {
        return malformed(fmt::format("Content-Type: {}: not a type and a subtype", quoted(header->value)));
    }
    content_type = lowered(type) + "/" + lowered(subtype);
    return std::nullopt;
}

// A description that cannot be read is no fault of the message's: whoever needs it decides.
void find_sdp(std::string_view datagram, const Scan& scan, const Limits& limits, Message& message) {
    const auto value_of = [&](HeaderKind kind) {
        const Header* header = scan.find(kind);
        return header == nullptr ? std::string_view() : header->value;
    };
    auto found = find_session(datagram, scan.body,
                              {.content_type = value_of(HeaderKind::content_type),
                               .content_encoding = value_of(HeaderKind::content_encoding)},
                              limits);
    if (found) {
        message.sdp = *found;
    } else {
        message.sdp_fault = std::move(found).error();
    }
}

Failure read_start_line(const Scan& scan, Message& message) {
    message.request = scan.request;
    message.method_name = scan.cseq_method;
    message.method = method_from(scan.cseq_method);
    message.cseq = scan.cseq;
    message.status = scan.status;
    if (!scan.request) {
        return std::nullopt;
    }
    auto uri = parse_uri(scan.request_uri);
    if (!uri) {
        return malformed(fmt::format("request URI {} is no URI", quoted(scan.request_uri)));
    }
    message.request_uri = *std::move(uri);
    message.request_uri_span = scan.request_uri_span;
    return std::nullopt;
}

Failure read_scalars(const Scan& scan, Message& message) {
    message.call_id = scan.find(HeaderKind::call_id)->value;
    message.authorized = scan.find(HeaderKind::authorization) != nullptr ||
                         scan.find(HeaderKind::proxy_authorization) != nullptr;
    for (const Header& header : scan.headers) {
        if (header.kind == HeaderKind::proxy_authorization) {
            message.proxy_authorization.emplace_back(header.value);
        }
    }
    if (const Header* agent = scan.find(HeaderKind::user_agent)) {
        message.user_agent = agent->value.substr(0, 128);
    }
    message.body = scan.body;
    if (auto bad = read_number(scan, HeaderKind::expires, message.expires)) {
        return bad;
    }
    if (auto bad = read_number(scan, HeaderKind::session_expires, message.session_expires)) {
        return bad;
    }
    if (auto bad = read_number(scan, HeaderKind::rseq, message.rseq)) {
        return bad;
    }
    if (auto bad = read_rack(scan, message.rack)) {
        return bad;
    }
    if (auto bad = read_replaces(scan, message.replaces)) {
        return bad;
    }
    if (auto bad = read_refer_to(scan, message.refer_to)) {
        return bad;
    }
    read_record_route(scan, message.record_route);
    return read_content_type(scan, message.content_type);
}

Failure read_structured(const Scan& scan, const Limits& limits, Message& message) {
    const auto osip = read_headers(scan);
    if (!osip) {
        return osip.error();
    }
    const osip_message_t& theirs = **osip;
    if (auto bad = read_party(HeaderKind::from, scan, theirs.from, limits, message.from, message.from_tag)) {
        return bad;
    }
    if (auto bad = read_party(HeaderKind::to, scan, theirs.to, limits, message.to, message.to_tag)) {
        return bad;
    }
    if (auto bad = read_vias(scan, theirs, limits, message.vias)) {
        return bad;
    }
    return read_contacts(scan, theirs, message.contacts);
}

} // namespace

std::expected<Message, Rejection> parse(std::string_view datagram, const Limits& limits) {
    Scan scan;
    if (auto bad = prescan(datagram, limits, scan)) {
        return std::unexpected(*std::move(bad));
    }
    Message message;
    if (auto bad = read_start_line(scan, message)) {
        return std::unexpected(*std::move(bad));
    }
    if (auto bad = read_scalars(scan, message)) {
        return std::unexpected(*std::move(bad));
    }
    if (auto bad = read_structured(scan, limits, message)) {
        return std::unexpected(*std::move(bad));
    }
    find_sdp(datagram, scan, limits, message);
    return message;
}

} // namespace stem::sip
