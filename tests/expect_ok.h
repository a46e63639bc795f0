// SPDX-License-Identifier: Apache-2.0
// A Result in an assertion: what is asked is asked once, and a failure shows the Error's words.
#pragma once

#include <stem/error.h>

#include <gtest/gtest.h>

namespace stem::test {

template<typename T>
testing::AssertionResult is_ok(const Result<T>& result) {
    return result ? testing::AssertionSuccess() : testing::AssertionFailure() << result.error().message();
}

} // namespace stem::test

#define ASSERT_OK(result) ASSERT_TRUE(::stem::test::is_ok(result))
#define EXPECT_OK(result) EXPECT_TRUE(::stem::test::is_ok(result))
