// SPDX-License-Identifier: Apache-2.0
// A directory in a database of its own, which goes away with the test.
#pragma once

#include "sm/directory.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <string>

namespace stem::sm {

class Folder {
  public:
    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "stem-sm-XXXXXX").string();
        if (mkdtemp(name.data()) == nullptr) {
            throw std::runtime_error("mkdtemp " + name);
        }
        path_ = name;
    }
    ~Folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    [[nodiscard]] std::filesystem::path operator/(const char* name) const { return path_ / name; }

  private:
    std::filesystem::path path_;
};

// Monday 2026-11-23, 09:00 UTC.
inline constexpr TimePoint monday_nine =
    std::chrono::sys_days(std::chrono::year(2026) / 11 / 23) + std::chrono::hours(9);

// The value, or a test failure with the error's words and an exception that ends the test.
template<typename T>
T must(Result<T> result) {
    if (!result) {
        ADD_FAILURE() << result.error().message();
        throw std::runtime_error(result.error().message());
    }
    if constexpr (!std::is_void_v<T>) {
        return std::move(*result);
    }
}

template<typename T>
Error error_of(const Result<T>& result) {
    EXPECT_FALSE(result.has_value());
    return result ? Error{} : result.error();
}

inline Pattern pattern(std::string_view text) {
    return must(Pattern::parse(text));
}
inline Address address(std::string_view text) {
    return must(Address::parse(text));
}

inline Treatment accept() {
    return {};
}
inline Treatment drop() {
    return {.action = Treatment::Action::drop, .target = {}, .status = 0};
}
inline Treatment reject(int status) {
    return {.action = Treatment::Action::reject, .target = {}, .status = status};
}
inline Treatment forward(std::string target) {
    return {.action = Treatment::Action::forward, .target = std::move(target), .status = 0};
}
inline Rule rule(std::string_view caller, Treatment then, std::string_view when = {}) {
    return {.caller = pattern(caller),
            .when = when.empty() ? std::nullopt : std::optional(must(Schedule::parse(when))),
            .then = std::move(then)};
}

class DirectoryTest : public testing::Test {
  protected:
    DirectoryTest() { reopen(); }

    void reopen(TimePoint now = monday_nine) {
        directory_.reset();
        directory_ = must(Directory::open(file(), now));
    }
    [[nodiscard]] std::filesystem::path file() const { return folder_ / "sm.db"; }
    Directory& directory() { return *directory_; }

    // User `name` with sip:NAME@example.org; with a profile of the same name where rules or a default are
    // given.
    void user(const std::string& name, std::vector<Rule> rules = {}, Treatment fallback = {}) {
        std::string profile;
        if (!rules.empty() || fallback != Treatment{}) {
            profile = name;
            must(directory().add_profile({name, std::move(fallback), std::move(rules)}));
        }
        must(directory().add_user({name, {}, profile, {"sip:" + name + "@example.org"}}));
    }

  private:
    Folder folder_;
    std::unique_ptr<Directory> directory_;
};

} // namespace stem::sm
