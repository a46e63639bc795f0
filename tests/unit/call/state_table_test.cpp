// SPDX-License-Identifier: Apache-2.0
// docs/calls.md is what this runs: every cell of its tables is put to the call monitor, and has to come true.
#include "fakes.h"

#include <stem/reason.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace stem::call {
namespace {

using Cells = std::vector<std::string>;

std::string trimmed(std::string text) {
    const auto first = text.find_first_not_of(" `");
    const auto last = text.find_last_not_of(" `");
    return first == std::string::npos ? "" : text.substr(first, last - first + 1);
}

Cells cells_of(const std::string& line) {
    Cells cells;
    std::istringstream stream(line.substr(1)); // behind the first "|"
    for (std::string cell; std::getline(stream, cell, '|');) {
        cells.push_back(trimmed(cell));
    }
    return cells;
}

// The table that follows the line `<!-- table: NAME -->`; its ruler is left out.
std::vector<Cells> table_of(const std::string& name) {
    std::ifstream file(STEM_SOURCE_DIR "/docs/calls.md");
    std::vector<Cells> rows;
    bool found = false;
    for (std::string line; std::getline(file, line);) {
        if (!found) {
            found = line == "<!-- table: " + name + " -->";
        } else if (line.starts_with("|")) {
            if (!line.starts_with("|-") && !line.starts_with("|:") && !line.starts_with("| -")) {
                rows.push_back(cells_of(line));
            }
        } else if (!rows.empty()) {
            break;
        }
    }
    return rows;
}

class StateTable : public MonitorTest {
  protected:
    static std::string with(std::string text, const std::string& header) {
        return text.insert(text.find("Content-Length"), header + "\r\n");
    }

    void bring_to(const std::string& state) {
        static const Cells order = {"calling", "early", "answered", "up", "closing", "dead"};
        if (state == "none") {
            return;
        }
        sm.late = state == "held";
        from_caller(script.request("INVITE", 1, script.caller_sdp()));
        if (state == "failed") {
            from_callee(script.response(486, "INVITE", 1, script.callee_tag));
            return;
        }
        const auto reached = std::ranges::find(order, state) - order.begin();
        if (state == "held") {
            return;
        }
        if (reached >= 1) {
            from_callee(
                with(script.response(183, "INVITE", 1, script.callee_tag, script.callee_sdp()), "RSeq: 7"));
        }
        if (reached >= 2) {
            from_callee(script.response(200, "INVITE", 1, script.callee_tag, script.callee_sdp()));
        }
        if (reached >= 3) {
            from_caller(script.request("ACK", 1, "", script.callee_tag, "z9hG4bK-ack"));
        }
        if (reached >= 4) {
            from_caller(script.request("BYE", 2, "", script.callee_tag, "z9hG4bK-bye"));
        }
        if (reached >= 5) {
            from_callee(script.response(200, "BYE", 2, script.callee_tag, "", "z9hG4bK-bye"));
        }
    }

    std::vector<Sent> caller_sends(const std::string& method, const std::string& body = "",
                                   const std::string& header = "") {
        const std::string text = script.request(method, 5, body, script.callee_tag, "z9hG4bK-5");
        return from_caller(header.empty() ? text : with(text, header));
    }
    std::vector<Sent> callee_sends(const std::string& method, const std::string& body = "") {
        return from_callee(script.callee_request(method, 5, "z9hG4bK-5c", body));
    }
    std::vector<Sent> callee_answers(int status, const std::string& tag, const std::string& body = "") {
        return from_callee(script.response(status, "INVITE", 1, tag, body));
    }

    std::vector<Sent> play(const std::string& event) {
        const auto sdp = script.caller_sdp();
        static const std::string other = "z9hG4bK-2";
        const std::map<std::string, std::function<std::vector<Sent>()>> events = {
            {"INVITE repeated", [&] { return from_caller(script.request("INVITE", 1, sdp)); }},
            {"INVITE, other branch",
             [&] { return from_caller(script.request("INVITE", 1, sdp, "", other)); }},
            {"INVITE, other branch and request URI",
             [&] {
                 auto text = script.request("INVITE", 1, sdp, "", other);
                 return from_caller(text.replace(text.find("sip:bob@"), 8, "sip:pat@"));
             }},
            {"INVITE, other branch, higher CSeq",
             [&] { return from_caller(script.request("INVITE", 2, sdp, "", other)); }},
            {"100", [&] { return callee_answers(100, ""); }},
            {"183 without To tag", [&] { return callee_answers(183, "", script.callee_sdp()); }},
            {"183 with To tag", [&] { return callee_answers(183, script.callee_tag, script.callee_sdp()); }},
            {"PRACK", [&] { return caller_sends("PRACK", "", "RAck: 7 1 INVITE"); }},
            {"PRACK, wrong RAck", [&] { return caller_sends("PRACK", "", "RAck: 8 1 INVITE"); }},
            {"UPDATE with offer", [&] { return caller_sends("UPDATE", sdp); }},
            {"2xx", [&] { return callee_answers(200, script.callee_tag, script.callee_sdp()); }},
            {"2xx, other To tag", [&] { return callee_answers(200, "bob-fork", script.callee_sdp()); }},
            {"3xx to 6xx", [&] { return callee_answers(486, script.callee_tag); }},
            {"ACK of 2xx",
             [&] { return from_caller(script.request("ACK", 1, "", script.callee_tag, "z9hG4bK-ack2")); }},
            {"ACK of failure", [&] { return from_caller(script.request("ACK", 1, "", script.callee_tag)); }},
            {"ACK, other CSeq",
             [&] { return from_caller(script.request("ACK", 9, "", script.callee_tag, "z9hG4bK-ack2")); }},
            {"CANCEL", [&] { return from_caller(script.request("CANCEL", 1)); }},
            {"re-INVITE of the caller", [&] { return caller_sends("INVITE", sdp); }},
            {"re-INVITE of the callee", [&] { return callee_sends("INVITE", script.callee_sdp()); }},
            {"BYE of the caller", [&] { return caller_sends("BYE"); }},
            {"BYE of the callee", [&] { return callee_sends("BYE"); }},
            {"BYE repeated",
             [&] { return from_caller(script.request("BYE", 2, "", script.callee_tag, "z9hG4bK-bye")); }},
            {"BYE, CSeq of before",
             [&] { return from_caller(script.request("BYE", 1, "", script.callee_tag, "z9hG4bK-old")); }},
            {"2xx to BYE",
             [&] {
                 return from_callee(script.response(200, "BYE", 2, script.callee_tag, "", "z9hG4bK-bye"));
             }},
            {"481 to BYE",
             [&] {
                 return from_callee(script.response(481, "BYE", 2, script.callee_tag, "", "z9hG4bK-bye"));
             }},
            {"INFO", [&] { return caller_sends("INFO"); }},
            {"REFER", [&] { return caller_sends("REFER", "", "Refer-To: <sip:carol@192.0.2.5>"); }},
            {"NOTIFY", [&] { return callee_sends("NOTIFY"); }},
            {"MESSAGE", [&] { return caller_sends("MESSAGE"); }},
            {"response to nothing",
             [&] {
                 return from_callee(script.response(200, "INVITE", 1, script.callee_tag, "", "z9hG4bK-x"));
             }},
        };
        const auto found = events.find(event);
        EXPECT_NE(found, events.end()) << event;
        return found == events.end() ? std::vector<Sent>{} : found->second();
    }

    // What became of the message, in the table's words: "pass", "hold", "absorb", "answer", "X reason".
    std::string verdict(const std::vector<Sent>& sent) const {
        if (sent.empty()) {
            return monitor->totals().held > 0           ? "hold"
                   : monitor->totals().byes_waiting > 0 ? "wait"
                                                        : "nothing";
        }
        const Sent& last = sent.back();
        if (last.how == Sent::How::released) {
            return "pass";
        }
        if (last.reason == STEM_SIP_ABSORBED) {
            return "absorb";
        }
        return last.reason == STEM_SIP_ANSWERED ? "answer" : "X " + std::string(label_of(last.reason));
    }
    // Of the script's dialog, or of the call while it has none.
    [[nodiscard]] std::string state_now() const {
        std::string state = "none";
        for (const auto& dialog : monitor->dialogs()) {
            if (dialog.call_id == script.call_id && state == "none") {
                state = dialog.state;
            }
        }
        return state;
    }

    void start_anew() {
        egress.take();
        egress.counted.clear();
        flows.map.clear();
        flows.learnings.clear();
        records.map.clear();
        sm.waiting.clear();
        sm.late = false;
        now += 1000 * second;
        restart();
    }
};

TEST_F(StateTable, EveryCellOfTheDocumentsTable) {
    const auto table = table_of("states");
    ASSERT_GE(table.size(), 25U) << "docs/calls.md";
    const Cells& states = table.front();
    ASSERT_EQ(states.size(), 10U);
    for (std::size_t row = 1; row < table.size(); row++) {
        ASSERT_EQ(table[row].size(), states.size()) << table[row][0];
        for (std::size_t column = 1; column < states.size(); column++) {
            start_anew();
            bring_to(states[column]);
            const std::string before = state_now();
            std::string came = verdict(play(table[row][0]));
            if (state_now() != before) {
                came += " → " + state_now();
            }
            EXPECT_EQ(came, table[row][column]) << table[row][0] << " in state " << states[column];
        }
    }
}

} // namespace
} // namespace stem::call
