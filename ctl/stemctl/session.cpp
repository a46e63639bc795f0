// SPDX-License-Identifier: Apache-2.0
#include "ctl/stemctl/session.h"

#include <boost/json/serialize.hpp>

#include <iostream>

namespace stem::stemctl {

CLI::App* Session::command(CLI::App& parent, const std::string& name, const std::string& help,
                           const std::string& example, std::function<int()> action) {
    auto* command = parent.add_subcommand(name, help);
    command->group("Commands");
    command->footer("Example:\n" + example);
    // A command that has others below it acts only when none of them was named.
    command->final_callback([this, command, action = std::move(action)] {
        if (command->get_subcommands().empty()) {
            chosen_ = action;
        }
    });
    return command;
}

CLI::App* Session::group(CLI::App& parent, const std::string& name, const std::string& help) {
    auto* group = parent.add_subcommand(name, help);
    group->group("Commands");
    group->require_subcommand(1);
    group->footer("Each command tells more: stemctl " + name + " COMMAND --help");
    return group;
}

void Session::print(const boost::json::value& value) {
    std::cout << boost::json::serialize(value) << '\n';
}

void Session::print(std::string_view text) {
    std::cout << text;
}

int Session::failed(const Error& error) const {
    std::cerr << "stemctl: " << error.message() << '\n';
    if (json) {
        print(boost::json::object{{"error", to_json(error)}});
    }
    return exit_failed;
}

void Session::warn(std::string_view text) {
    std::cerr << "stemctl: warning: " << text << '\n';
}

boost::json::object to_json(const Error& error) {
    return {{"attempt", error.attempt}, {"cause", error.cause}, {"remedy", error.remedy}};
}

} // namespace stem::stemctl
