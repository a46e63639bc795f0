// SPDX-License-Identifier: Apache-2.0
#include "sm/field_reader.h"

#include "sm/failure.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/string.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace stem::sm {
namespace {

std::string_view view(const boost::json::string& text) {
    return {text.data(), text.size()};
}

} // namespace

FieldReader::FieldReader(const boost::json::value& value, std::string_view what,
                         std::initializer_list<std::string_view> known)
    : what_(what), object_(value.if_object()) {
    if (object_ == nullptr) {
        fault_ = invalid(fmt::format("read {}", what_), "not a JSON object", "send {\"field\": value, ...}")
                     .error();
        return;
    }
    look_for_unknown(known);
}

FieldReader::FieldReader(const boost::json::object& object, std::string_view what,
                         std::initializer_list<std::string_view> known)
    : what_(what), object_(&object) {
    look_for_unknown(known);
}

void FieldReader::look_for_unknown(std::initializer_list<std::string_view> known) {
    for (const auto& item : *object_) {
        const std::string_view key(item.key().data(), item.key().size());
        if (std::ranges::find(known, key) == known.end()) {
            wrong(key, fmt::format("unknown; the fields are {}", fmt::join(known, ", ")));
        }
    }
}

bool FieldReader::has(std::string_view field) const {
    if (object_ == nullptr) {
        return false;
    }
    const auto* value = object_->if_contains({field.data(), field.size()});
    return value != nullptr && !value->is_null();
}

const boost::json::value* FieldReader::any(std::string_view field) {
    return has(field) ? object_->if_contains({field.data(), field.size()}) : nullptr;
}

const boost::json::array* FieldReader::list(std::string_view field) {
    const auto* value = any(field);
    if (value != nullptr && !value->is_array()) {
        wrong_type(field, "a list");
        return nullptr;
    }
    return value == nullptr ? nullptr : value->if_array();
}

std::string FieldReader::required_text(std::string_view field) {
    auto value = text(field);
    if (!value) {
        wrong(field, "missing");
    }
    return value.value_or("");
}

std::optional<std::string> FieldReader::text(std::string_view field) {
    const auto* value = any(field);
    if (value == nullptr) {
        return std::nullopt;
    }
    if (!value->is_string()) {
        wrong_type(field, "text");
        return std::nullopt;
    }
    return std::string(view(value->get_string()));
}

QValue FieldReader::qvalue(std::string_view field) {
    const auto written = text(field);
    const auto value = written ? QValue::parse(*written) : QValue();
    if (!value) {
        wrong(field, fmt::format("'{}' is not a number of 0 to 1 with at most three digits after the point",
                                 written->substr(0, 20)));
    }
    return value.value_or(QValue());
}

std::optional<std::int64_t> FieldReader::integer(std::string_view field, std::int64_t least,
                                                 std::int64_t most) {
    const auto* value = any(field);
    if (value == nullptr) {
        return std::nullopt;
    }
    // Boost.JSON has two kinds of whole numbers: a text's are signed where they fit, those of C++ as C++ has
    // them.
    boost::system::error_code no_number;
    const bool whole = value->is_int64() || value->is_uint64();
    const auto number = whole ? value->to_number<std::int64_t>(no_number) : 0;
    if (!whole || no_number || number < least || number > most) {
        wrong(field, fmt::format("not a whole number in {}..{}", least, most));
        return std::nullopt;
    }
    return number;
}

std::optional<bool> FieldReader::boolean(std::string_view field) {
    const auto* value = any(field);
    if (value == nullptr) {
        return std::nullopt;
    }
    if (!value->is_bool()) {
        wrong_type(field, "true or false");
        return std::nullopt;
    }
    return value->get_bool();
}

std::vector<std::string> FieldReader::texts(std::string_view field) {
    std::vector<std::string> all;
    const auto* values = list(field);
    if (values == nullptr) {
        return all;
    }
    for (const auto& value : *values) {
        if (!value.is_string()) {
            wrong_type(field, "a list of texts");
            return {};
        }
        all.emplace_back(view(value.get_string()));
    }
    return all;
}

void FieldReader::blame(std::string_view field, const Error& error) {
    if (!fault_) {
        fault_ = Error{fmt::format("read {}, field '{}'", what_, field),
                       fmt::format("{}: {}", error.attempt, error.cause), error.remedy, EINVAL};
    }
}

void FieldReader::wrong(std::string_view field, std::string cause) {
    if (!fault_) {
        fault_ = invalid(fmt::format("read {}, field '{}'", what_, field.substr(0, 40)), std::move(cause),
                         "docs/api-sm.md has the fields")
                     .error();
    }
}

void FieldReader::wrong_type(std::string_view field, std::string_view wanted) {
    wrong(field, fmt::format("not {}", wanted));
}

} // namespace stem::sm
