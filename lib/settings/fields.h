// SPDX-License-Identifier: Apache-2.0
// For the tables of parameters: from a member of the configuration to the description of its key.
//
// `Field` maps a configuration to its member, const or not: STEM_FIELD(calls.max). What these give turns into
// the kind of any configuration that has the member.
#pragma once

#include "lib/settings/parameter.h"

#include <chrono>
#include <type_traits>
#include <utility>

#define STEM_FIELD(member) [](auto& config) -> auto& { return config.member; }

namespace stem::settings {

template<typename T>
concept Duration = requires(T value) { value.count(); };

template<auto Field, typename Unit>
struct IntegerField {
    std::string_view unit;
    std::int64_t low;
    std::int64_t high;
    bool power_of_two;

    template<typename C>
    constexpr operator Integer<C>() const { // NOLINT(google-explicit-constructor)
        return {.unit = unit,
                .low = low,
                .high = high,
                .power_of_two = power_of_two,
                .read = [](const C& config) -> std::int64_t {
                    const auto& field = Field(config);
                    if constexpr (Duration<decltype(field)>) {
                        return std::chrono::duration_cast<Unit>(field).count();
                    } else {
                        return static_cast<std::int64_t>(field);
                    }
                },
                .write =
                    [](C& config, std::int64_t value) {
                        auto& field = Field(config);
                        if constexpr (Duration<decltype(field)>) {
                            field = Unit(value);
                        } else {
                            field = static_cast<std::remove_reference_t<decltype(field)>>(value);
                        }
                    }};
    }
};

// `Unit` is the unit of a member that is a duration.
template<auto Field, typename Unit = std::chrono::milliseconds>
constexpr IntegerField<Field, Unit> integer(std::string_view unit, std::int64_t low, std::int64_t high,
                                            bool power_of_two = false) {
    return {unit, low, high, power_of_two};
}

template<auto Field>
struct ChoiceField {
    std::span<const std::string_view> words;

    template<typename C>
    constexpr operator Choice<C>() const { // NOLINT(google-explicit-constructor)
        return {.words = words,
                .read = [](const C& config) { return static_cast<std::size_t>(Field(config)); },
                .write =
                    [](C& config, std::size_t index) {
                        auto& field = Field(config);
                        field = static_cast<std::remove_reference_t<decltype(field)>>(index);
                    }};
    }
};

template<auto Field>
constexpr ChoiceField<Field> choice(std::span<const std::string_view> words) {
    return {words};
}

template<auto Field>
struct TextField {
    std::string_view form;
    bool (*fits)(std::string_view);

    template<typename C>
    constexpr operator Text<C>() const { // NOLINT(google-explicit-constructor)
        return {.form = form,
                .fits = fits,
                .read = [](const C& config) -> const std::string& { return Field(config); },
                .write = [](C& config, std::string value) { Field(config) = std::move(value); }};
    }
};

template<auto Field>
constexpr TextField<Field> text(std::string_view form, bool (*fits)(std::string_view)) {
    return {form, fits};
}

template<auto Field>
struct TextListField {
    std::string_view form;
    bool (*fits)(std::string_view);

    template<typename C>
    constexpr operator TextList<C>() const { // NOLINT(google-explicit-constructor)
        return {.form = form,
                .fits = fits,
                .read = [](const C& config) -> const std::vector<std::string>& { return Field(config); },
                .write = [](C& config, std::vector<std::string> value) { Field(config) = std::move(value); }};
    }
};

template<auto Field>
constexpr TextListField<Field> text_list(std::string_view form, bool (*fits)(std::string_view)) {
    return {form, fits};
}

template<auto Field>
struct NetworkListField {
    template<typename C>
    constexpr operator NetworkList<C>() const { // NOLINT(google-explicit-constructor)
        return {.read = [](const C& config) -> const std::vector<Cidr>& { return Field(config); },
                .write = [](C& config, std::vector<Cidr> value) { Field(config) = std::move(value); }};
    }
};

template<auto Field>
constexpr NetworkListField<Field> networks() {
    return {};
}

inline bool is_absolute_path_or_empty(std::string_view value) {
    return value.empty() || (value.front() == '/' && value.find('\0') == std::string_view::npos);
}

} // namespace stem::settings
