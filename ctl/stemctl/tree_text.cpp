// SPDX-License-Identifier: Apache-2.0
#include "ctl/stemctl/tree_text.h"

#include <sstream>

namespace stem::stemctl {

std::vector<const CLI::App*> visible_commands(const CLI::App& app) {
    return app.get_subcommands([](const CLI::App* command) { return !command->get_group().empty(); });
}

// CLI11 writes a set into the type's name: "TEXT:{bridge,router}".
std::vector<std::string> fixed_values(const CLI::Option& option) {
    const std::string type = option.get_type_name();
    const auto open = type.find('{');
    const auto close = type.find('}', open);
    std::vector<std::string> values;
    if (open == std::string::npos || close == std::string::npos) {
        return values;
    }
    std::istringstream list(type.substr(open + 1, close - open - 1));
    for (std::string value; std::getline(list, value, ',');) {
        values.push_back(value);
    }
    return values;
}

std::string value_kind(const CLI::Option& option) {
    if (option.get_items_expected_max() == 0) {
        return {};
    }
    const std::string type = option.get_type_name();
    return type.substr(0, type.find(':'));
}

} // namespace stem::stemctl
