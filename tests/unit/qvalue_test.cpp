// SPDX-License-Identifier: Apache-2.0
#include <stem/qvalue.h>

#include <gtest/gtest.h>

#include <utility>

namespace stem {
namespace {

// RFC 3261 25.1: qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] )
TEST(QValue, ReadsWhatTheGrammarHas) {
    for (const auto& [text, thousandths] : {std::pair{"0", 0},
                                            {"1", 1000},
                                            {"0.", 0},
                                            {"1.", 1000},
                                            {"0.7", 700},
                                            {"0.05", 50},
                                            {"0.123", 123},
                                            {"1.000", 1000},
                                            {"0.000", 0}}) {
        const auto value = QValue::parse(text);
        ASSERT_TRUE(value) << text;
        EXPECT_EQ(value->thousandths(), thousandths) << text;
    }
}

TEST(QValue, RefusesTheRest) {
    for (const char* text : {"", ".5", "2", "1.1", "1.001", "0.1234", "-1", "0,5", "0.5 ", " 0.5", "+0.5",
                             "0.x", "01", "1e0", "nan"}) {
        EXPECT_FALSE(QValue::parse(text)) << text;
    }
    EXPECT_FALSE(QValue::from_thousandths(1001));
    EXPECT_FALSE(QValue::from_thousandths(-1));
}

TEST(QValue, EachIsWrittenAsItReads) {
    for (std::int64_t thousandths = 0; thousandths <= QValue::most; ++thousandths) {
        const auto value = QValue::from_thousandths(thousandths);
        ASSERT_TRUE(value);
        EXPECT_EQ(QValue::parse(value->to_string()), value) << value->to_string();
    }
    EXPECT_EQ(QValue().to_string(), "1");
    EXPECT_EQ(QValue::from_thousandths(750)->to_string(), "0.75");
    EXPECT_EQ(QValue::from_thousandths(50)->to_string(), "0.05");
}

} // namespace
} // namespace stem
