// SPDX-License-Identifier: Apache-2.0
// A Security Manager of some size: users with a profile of ten rules, a long spam list, limits, and an audit
// trail.
#pragma once

#include "lab/postgres.h"
#include "sm/admission.h"

#include <stem/error.h>

#include <filesystem>
#include <memory>

namespace stem::bench {

class ManyUsers {
  public:
    static constexpr unsigned spam_callers = 100'000;

    // In a folder of its own under the scratch directory, made anew; in SQLite, or in a database of
    // `postgres`.
    static Result<std::unique_ptr<ManyUsers>> make(const std::string& name, unsigned users, bool audited,
                                                   const lab::Postgres* postgres = nullptr);

    [[nodiscard]] sm::Directory& directory() { return *directory_; }
    [[nodiscard]] sm::Admission& admission() { return *admission_; }
    [[nodiscard]] const sm::audit::Trail* trail() const { return trail_.get(); }
    [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
    [[nodiscard]] const std::string& database() const { return database_; } // as [sm] database names it
    // Call number `n`: from a caller who is on no list, to the n-th user.
    [[nodiscard]] sm::Query query(std::uint64_t n) const;
    static std::string user_name(unsigned number);

  private:
    ManyUsers() = default;
    Result<> fill(unsigned users);
    Result<> move_to(const lab::Postgres& postgres, const std::string& name);

    std::filesystem::path folder_;
    std::string database_;
    unsigned users_ = 0;
    std::unique_ptr<sm::Directory> directory_;
    std::unique_ptr<sm::audit::Trail> trail_;
    std::unique_ptr<sm::Admission> admission_;
};

} // namespace stem::bench
