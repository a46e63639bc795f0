// SPDX-License-Identifier: Apache-2.0
#include "sm/store_address.h"
#include "sm_fixture.h"

#include <gmock/gmock.h>

#include <fstream>

namespace stem::sm {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(SmStoreAddress, AFileOrAServer) {
    const auto file = must(StoreAddress::parse("/var/lib/stem/smd.db"));
    EXPECT_FALSE(file.shared());
    EXPECT_EQ(file.place(), "/var/lib/stem/smd.db");
    const auto server = must(StoreAddress::parse("postgresql://stem@db1,db2:5433/telephony"));
    EXPECT_TRUE(server.shared());
    EXPECT_EQ(server.name(), "postgresql://db1,db2/telephony");
    for (const char* part : {"host=db1%2Cdb2", "port=%2C5433", "user=stem", "dbname=telephony"}) {
        EXPECT_THAT(server.place(), HasSubstr(part));
    }
    EXPECT_TRUE(is_store_address("/a"));
    EXPECT_TRUE(is_store_address("postgres://db1/stem"));
    EXPECT_FALSE(is_store_address("smd.db"));
    EXPECT_FALSE(is_store_address(""));
    EXPECT_FALSE(is_store_address("mysql://db1/stem"));
}

TEST(SmStoreAddress, TlsIsVerifiedUnlessTheServerIsHere) {
    for (const char* far : {"postgresql://db1/stem", "postgresql://localhost,db1/stem",
                            "postgresql:///stem?hostaddr=192.0.2.1", "postgresql://[2001:db8::1]/stem"}) {
        EXPECT_THAT(must(StoreAddress::parse(far)).place(), HasSubstr("sslmode=verify%2Dfull")) << far;
    }
    for (const char* here : {"postgresql:///stem", "postgresql:///stem?host=/run/postgresql",
                             "postgresql://[::1]/stem", "postgresql://127.0.0.1,localhost/stem"}) {
        EXPECT_THAT(must(StoreAddress::parse(here)).place(), Not(HasSubstr("sslmode"))) << here;
    }
    EXPECT_THAT(must(StoreAddress::parse("postgresql://db1/stem?sslmode=disable")).place(),
                HasSubstr("sslmode=disable"));
}

TEST(SmStoreAddress, ASecretInItIsRefusedAndNotRepeated) {
    for (const char* text :
         {"postgresql://stem:hunter2@db1/stem", "postgresql://stem@db1/stem?password=hunter2",
          "postgresql://db1/stem?sslpassword=hunter2"}) {
        const Error error = error_of(StoreAddress::parse(text));
        EXPECT_EQ(error.code, EINVAL);
        EXPECT_THAT(error.message(), Not(HasSubstr("hunter2")));
        EXPECT_THAT(error.remedy, HasSubstr("passfile"));
        EXPECT_FALSE(is_store_address(text));
    }
    const Error unknown = error_of(StoreAddress::parse("postgresql://db1/stem?pasword=hunter2"));
    EXPECT_THAT(unknown.message(), Not(HasSubstr("hunter2")));
}

TEST(SmStoreAddress, ThePassfileIsTheOwnersOnly) {
    const Folder folder;
    const auto file = folder / "pgpass";
    const std::string text = "postgresql://stem@db1/stem?passfile=" + file.string();
    EXPECT_EQ(error_of(StoreAddress::parse(text)).code, ENOENT);
    std::ofstream(file) << "*:*:*:stem:hunter2\n";
    std::filesystem::permissions(file, std::filesystem::perms(0640));
    const Error error = error_of(StoreAddress::parse(text));
    EXPECT_THAT(error.remedy, HasSubstr("chmod 600 " + file.string()));
    std::filesystem::permissions(file, std::filesystem::perms(0600));
    EXPECT_THAT(must(StoreAddress::parse(text)).place(), Not(HasSubstr("hunter2")));
}

} // namespace
} // namespace stem::sm
