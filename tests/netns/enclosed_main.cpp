// SPDX-License-Identifier: Apache-2.0
// main() of a netns test: the tests run inside an enclosure; to list them needs none.
#include "lab/enclosure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

int main(int argc, char** argv) {
    testing::InitGoogleMock(&argc, argv);
    if (testing::GTEST_FLAG(list_tests)) {
        return RUN_ALL_TESTS();
    }
    return stem::lab::run_enclosed([] { return RUN_ALL_TESTS(); }, stem::lab::skipped_status);
}
