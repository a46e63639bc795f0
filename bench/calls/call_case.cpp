// SPDX-License-Identifier: Apache-2.0
#include "calls/call_case.h"

#include <array>

namespace stem::bench {
namespace {

constexpr CallCase row(std::string_view name, std::string_view uac, std::string_view uas, bool media = true) {
    return {.name = name, .uac = uac, .uas = uas, .media = media};
}
constexpr CallCase bad(std::string_view name, std::string_view uac, std::string_view uas) {
    return {.name = name, .uac = uac, .uas = uas, .media = false, .violating = true};
}

constexpr auto cases = std::to_array<CallCase>({
    row("plain", "uac", "uas"),
    {.name = "tcp", .uac = "uac", .uas = "uas", .tcp = true},
    row("compact", "call_compact_uac", "uas"),
    row("multipart", "call_multipart_uac", "uas"),
    row("large", "call_large_uac", "uas"),
    row("early_media", "call_early_uac", "call_early_uas"),
    row("hold", "call_hold_uac", "uas"),
    row("media_elsewhere", "call_elsewhere_uac", "uas"),
    row("offerless", "row_offerless_uac", "row_offerless_uas"),
    row("prack", "row_prack_uac", "row_prack_uas"),
    row("update", "row_update_uac", "row_update_uas"),
    row("callee_reinvite", "row_callee_reinvite_uac", "row_callee_reinvite_uas"),
    row("forked", "row_forked_uac", "row_forked_uas"),
    row("auth", "row_auth_uac", "row_auth_uas"),
    row("redirect", "row_redirect_uac", "row_redirect_uas"),
    row("cancel_crossing", "row_cancel_crossing_uac", "row_cancel_crossing_uas"),
    row("session_timer", "row_session_uac", "row_session_uas"),
    row("refer", "row_refer_uac", "row_refer_uas"),
    row("replaces", "row_replaces_uac", "row_replaces_uas"),
    row("retransmitted", "row_retransmitted_uac", "row_retransmitted_uas"),
    row("info", "row_info_uac", "row_info_uas"),
    row("callee_bye", "row_callee_bye_uac", "row_callee_bye_uas"),
    row("busy", "row_busy_uac", "row_busy_uas", false),
    row("early_bye", "row_early_bye_uac", "row_early_bye_uas", false),
    row("repeated", "row_repeated_uac", "row_repeated_uas"),
    row("merged", "row_merged_uac", "row_merged_uas"),
    row("untagged", "row_untagged_uac", "row_untagged_uas"),
    row("glare", "row_glare_uac", "row_glare_uas"),
    bad("bad_prack", "row_prack_bad_uac", "row_prack_bad_uas"),
    bad("bad_update", "row_update_bad_uac", "row_update_bad_uas"),
    bad("bad_ack", "row_offerless_bad_uac", "row_offerless_bad_uas"),
    bad("bad_200", "row_busy_bad_uac", "row_busy_bad_uas"),
    bad("bad_cancel", "row_cancel_bad_uac", "row_cancel_bad_uas"),
    bad("bad_callee_bye", "row_callee_bye_bad_uac", "row_callee_bye_bad_uas"),
    bad("bad_bye", "row_bye_bad_uac", "row_bye_bad_uas"),
    bad("bad_reinvite", "row_reinvite_bad_uac", "row_reinvite_bad_uas"),
    bad("bad_replaces", "row_replaces_bad_uac", "row_replaces_bad_uas"),
    bad("bad_repeated", "row_repeated_bad_uac", "row_repeated_bad_uas"),
    bad("bad_live", "row_live_bad_uac", "row_live_bad_uas"),
    bad("bad_info", "row_info_bad_uac", "row_info_bad_uas"),
    bad("bad_notify", "row_notify_bad_uac", "row_notify_bad_uas"),
    bad("bad_answer", "row_answer_bad_uac", "row_answer_bad_uas"),
    bad("bad_ringing", "row_ringing_bad_uac", "row_ringing_bad_uas"),
    bad("bad_redirect", "row_redirect_bad_uac", "row_redirect_bad_uas"),
});

} // namespace

std::span<const CallCase> call_cases() {
    return cases;
}

} // namespace stem::bench
