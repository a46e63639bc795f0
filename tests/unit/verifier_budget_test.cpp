// SPDX-License-Identifier: Apache-2.0
// How the verifier's budget is judged: tests/progrun/verifier_budget.h.
#include "../progrun/verifier_budget.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stem::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

BudgetRow row(std::string kernel, std::uint64_t instructions, std::string program = "stem_external") {
    return {std::move(kernel), "bridge", "all", std::move(program), instructions, 5000, "280+96"};
}

TEST(VerifierBudget, SeriesAreTheFirstTwoNumbers) {
    EXPECT_EQ(series_of("6.18.44-fc-v669"), "6.18");
    EXPECT_EQ(series_of("6.1.0-18-amd64"), "6.1");
    EXPECT_EQ(series_of("6.12+deb12"), "6.12");
}

TEST(VerifierBudget, FivePercentMoreIsTooMuchOnTheSameKernel) {
    EXPECT_THAT(judge_budget({row("6.18", 1000)}, {row("6.18", 1050)}).faults, IsEmpty());
    EXPECT_THAT(judge_budget({row("6.18", 1000)}, {row("6.18", 1051)}).faults,
                ElementsAre(HasSubstr("stem_external (bridge, modules all): 1051 instructions")));
    EXPECT_THAT(judge_budget({row("6.18", 1000)}, {row("6.18", 900)}).notes,
                ElementsAre(HasSubstr("renew the record")));
}

TEST(VerifierBudget, AnotherKernelHasMoreRoom) {
    const std::vector<BudgetRow> recorded = {row("6.1", 4000), row("6.18", 1000)};
    const auto within = judge_budget(recorded, {row("6.17", 1500)});
    EXPECT_THAT(within.faults, IsEmpty());
    EXPECT_THAT(within.notes, ElementsAre(HasSubstr("compared with 6.18")));
    EXPECT_THAT(judge_budget(recorded, {row("6.17", 1501)}).faults, ElementsAre(HasSubstr("+50 %")));
    EXPECT_THAT(judge_budget(recorded, {row("6.2", 5000)}).faults, IsEmpty());
}

TEST(VerifierBudget, WhatIsNotRecordedIsAFault) {
    EXPECT_THAT(judge_budget({}, {row("6.18", 1)}).faults, ElementsAre(HasSubstr("nothing is recorded")));
    EXPECT_THAT(judge_budget({row("6.18", 1000)}, {row("6.18", 1, "stem_new")}).faults,
                ElementsAre(HasSubstr("stem_new (bridge, modules all): is not recorded")));
}

TEST(VerifierBudget, HalfAMillionIsTooMuchWhateverWasRecorded) {
    EXPECT_THAT(judge_budget({row("6.18", 600'000)}, {row("6.18", 600'000)}).faults,
                ElementsAre(HasSubstr("more than half")));
}

TEST(VerifierBudget, RenewalReplacesOneKernelsRowsOnly) {
    const std::string text = renewed_budget({row("6.18", 1000), row("6.1", 4000)}, {row("6.18", 900)});
    const auto rows = read_budget(text);
    ASSERT_TRUE(rows) << rows.error().message();
    ASSERT_EQ(rows->size(), 2U);
    EXPECT_EQ((*rows)[0].kernel, "6.1");
    EXPECT_EQ((*rows)[1].instructions, 900U);
    EXPECT_EQ((*rows)[1].stack, "280+96");
}

TEST(VerifierBudget, ABadLineIsNamed) {
    for (const char* line : {"6.18,bridge,all,p,x,1,2", "6.18,bridge,all,p,1,1", "new,bridge,all,p,1,1,2",
                             "6.18,bridge,all,p,0,1,2"}) {
        const auto rows = read_budget("# heading\n" + std::string(line) + "\n");
        ASSERT_FALSE(rows) << line;
        EXPECT_THAT(rows.error().message(), HasSubstr("line 2"));
    }
}

} // namespace
} // namespace stem::test
