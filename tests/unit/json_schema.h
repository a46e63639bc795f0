// SPDX-License-Identifier: Apache-2.0
// Judges JSON by a JSON schema (draft 2020-12), as far as docs/control-channel.schema.json uses it: $ref
// within the schema, type, const, enum, required, properties, additionalProperties, items, maxItems, minimum,
// maximum, minLength, maxLength (in octets: our schema's texts are ASCII where it matters), pattern, oneOf. A
// keyword that it does not know is a fault, so that nothing goes unjudged.
#pragma once

#include <boost/json/value.hpp>

#include <filesystem>
#include <string>

namespace stem::test {

class JsonSchema {
  public:
    explicit JsonSchema(const std::filesystem::path& file);

    // "" = it fits; else where and why not.
    [[nodiscard]] std::string fault(const boost::json::value& value) const;

  private:
    [[nodiscard]] std::string judge(const boost::json::value& schema, const boost::json::value& value,
                                    const std::string& where) const;
    [[nodiscard]] std::string judge_keyword(const boost::json::object& schema, const std::string& keyword,
                                            const boost::json::value& rule, const boost::json::value& value,
                                            const std::string& where) const;
    [[nodiscard]] std::string judge_members(const boost::json::object& schema,
                                            const boost::json::object& object,
                                            const std::string& where) const;
    [[nodiscard]] const boost::json::value& follow(const std::string& reference) const;

    boost::json::value root_;
};

} // namespace stem::test
