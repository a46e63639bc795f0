// SPDX-License-Identifier: Apache-2.0
// Reads the fields of a JSON object from a request. The first fault is kept and names its field; what is read
// after it is empty, so that a caller asks once, at the end.
#pragma once

#include <stem/error.h>
#include <stem/qvalue.h>

#include <boost/json/value.hpp>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stem::sm {

class FieldReader {
  public:
    // `what` is read: "user". A field that is not in `known` is a fault.
    FieldReader(const boost::json::value& value, std::string_view what,
                std::initializer_list<std::string_view> known);
    FieldReader(const boost::json::object& object, std::string_view what,
                std::initializer_list<std::string_view> known);
    // It refers to what it reads.
    FieldReader(boost::json::value&&, std::string_view, std::initializer_list<std::string_view>) = delete;
    FieldReader(boost::json::object&&, std::string_view, std::initializer_list<std::string_view>) = delete;

    std::string required_text(std::string_view field);
    // null counts as absent in all optional ones.
    std::optional<std::string> text(std::string_view field);
    std::optional<std::int64_t> integer(std::string_view field, std::int64_t least, std::int64_t most);
    std::optional<bool> boolean(std::string_view field);
    // Text as RFC 3261 25.1 writes it ("0.7"), since JSON's numbers have no fixed number of digits; 1 =
    // absent.
    QValue qvalue(std::string_view field);
    std::vector<std::string> texts(std::string_view field);
    // nullptr = absent.
    const boost::json::value* any(std::string_view field);
    const boost::json::array* list(std::string_view field);
    [[nodiscard]] bool has(std::string_view field) const;

    // A fault that the caller found in `field`; its own error says why.
    void blame(std::string_view field, const Error& error);
    [[nodiscard]] const std::optional<Error>& fault() const noexcept { return fault_; }

  private:
    void look_for_unknown(std::initializer_list<std::string_view> known);
    void wrong(std::string_view field, std::string cause);
    void wrong_type(std::string_view field, std::string_view wanted);

    std::string what_;
    const boost::json::object* object_ = nullptr;
    std::optional<Error> fault_;
};

} // namespace stem::sm
