// SPDX-License-Identifier: Apache-2.0
#include "ctl/peers/table.h"

#include <gtest/gtest.h>

#include <map>

namespace stem::peers {
namespace {

using namespace std::chrono_literals;
constexpr std::uint64_t second = 1'000'000'000;

class FakeStore final : public Store {
  public:
    Result<> put(const Address& address, const stem_peer& peer) override {
        if (full) {
            return fail("put peer", "map is full");
        }
        writes++;
        map[address] = peer;
        return {};
    }
    void erase(const Address& address) override { map.erase(address); }
    void for_each(const std::function<void(const Address&, const stem_peer&)>& visit) override {
        for (const auto& [address, peer] : map) {
            visit(address, peer);
        }
    }
    std::map<Address, stem_peer> map;
    int writes = 0;
    bool full = false;
};

class PeersTest : public testing::TestWithParam<const char*> {
  protected:
    [[nodiscard]] static Address nat() { return *Address::parse(GetParam()); }
    [[nodiscard]] const stem_peer* peer() const {
        const auto there = store.map.find(nat());
        return there == store.map.end() ? nullptr : &there->second;
    }
    void pass(std::uint64_t seconds_more) {
        now += seconds_more * second;
        table.tick(now);
    }

    FakeStore store;
    Table table{store, {.call_memory = 600s}};
    std::uint64_t now = 5000 * second;
};
INSTANTIATE_TEST_SUITE_P(Families, PeersTest, testing::Values("192.0.2.7", "2001:db8::7"),
                         [](const auto& family) { return family.index == 0 ? "v4" : "v6"; });

TEST_P(PeersTest, CountsThePhonesThatRegistered) {
    for (int i = 0; i < 1000; i++) {
        table.registered(nat(), "phone " + std::to_string(i), 3600s, now);
    }
    ASSERT_TRUE(peer());
    EXPECT_EQ(peer()->phones, 1000U);
    EXPECT_EQ(peer()->kinds, static_cast<std::uint32_t>(STEM_PEER_REGISTERED));
    EXPECT_EQ(peer()->expires_ns, now + 3600 * second);
    table.registered(nat(), "phone 1", 3600s, now); // again: none more
    EXPECT_EQ(peer()->phones, 1000U);
    table.registered(nat(), "phone 1", 0s, now);
    EXPECT_EQ(peer()->phones, 999U);
}

TEST_P(PeersTest, RegistrationsExpire) {
    table.registered(nat(), "a", 60s, now);
    table.registered(nat(), "b", 300s, now);
    pass(59);
    EXPECT_EQ(peer()->phones, 2U);
    pass(1);
    EXPECT_EQ(peer()->phones, 1U);
    pass(240);
    EXPECT_EQ(peer(), nullptr);
    EXPECT_EQ(table.size(), 0U);
}

TEST_P(PeersTest, ARefreshIsNotWrittenEachTime) {
    table.registered(nat(), "a", 3600s, now);
    const int before = store.writes;
    pass(1);
    table.registered(nat(), "a", 3600s, now);
    EXPECT_EQ(store.writes, before);
    pass(30);
    table.registered(nat(), "a", 3600s, now);
    EXPECT_EQ(store.writes, before + 1);
    EXPECT_EQ(peer()->expires_ns, now + 3600 * second);
}

TEST_P(PeersTest, ACallMakesAPeerForAWhile) {
    table.call_up(1, nat(), now);
    table.call_up(2, nat(), now);
    ASSERT_TRUE(peer());
    EXPECT_EQ(peer()->kinds, static_cast<std::uint32_t>(STEM_PEER_DIALOG));
    EXPECT_EQ(peer()->phones, 2U);
    pass(3600); // as long as it is up
    ASSERT_TRUE(peer());
    EXPECT_GT(peer()->expires_ns, now);
    table.call_over(1, now);
    table.call_over(2, now);
    table.call_over(2, now); // told twice: once counts
    EXPECT_EQ(peer()->phones, 1U);
    pass(599);
    EXPECT_TRUE(peer());
    pass(1);
    EXPECT_EQ(peer(), nullptr);
}

TEST_P(PeersTest, ManyShortCallsAreWorthPhones) {
    for (std::uint64_t id = 1; id <= 500; id++) {
        table.call_up(id, nat(), now);
        table.call_over(id, now);
    }
    EXPECT_EQ(peer()->phones, 50U);
    pass(200);
    EXPECT_EQ(peer()->phones, 1U);
}

TEST_P(PeersTest, TrunksNeverExpire) {
    ASSERT_TRUE(table.add_trunk(nat(), now));
    table.set_configured({nat()}, now);
    EXPECT_EQ(peer()->expires_ns, 0U);
    EXPECT_EQ(peer()->kinds, static_cast<std::uint32_t>(STEM_PEER_TRUNK | STEM_PEER_CONFIGURED));
    table.registered(nat(), "a", 60s, now);
    pass(100'000);
    EXPECT_EQ(peer()->expires_ns, 0U);
    EXPECT_TRUE(table.remove_trunk(nat(), now));
    EXPECT_FALSE(table.remove_trunk(nat(), now));
    EXPECT_EQ(peer()->kinds, static_cast<std::uint32_t>(STEM_PEER_CONFIGURED));
}

TEST_P(PeersTest, SurvivesARestart) {
    table.registered(nat(), "a", 3600s, now);
    table.registered(nat(), "b", 3600s, now);
    const Address trunk = *Address::parse("198.51.100.1");
    ASSERT_TRUE(table.add_trunk(trunk, now));
    const Address configured = *Address::parse("198.51.100.2");
    table.set_configured({configured}, now);

    now += 10 * second;
    Table next(store, {.call_memory = 600s});
    EXPECT_EQ(next.adopt(now), 2U) << "what stemd.toml names is named by the next stemd's";
    ASSERT_TRUE(peer());
    EXPECT_EQ(peer()->phones, 2U);
    EXPECT_TRUE(store.map.contains(trunk));
    EXPECT_FALSE(store.map.contains(configured));
    next.registered(nat(), "c", 60s, now); // the phones of before count until they would have expired
    EXPECT_EQ(peer()->phones, 2U);
    now += 3600 * second;
    next.tick(now);
    EXPECT_EQ(peer(), nullptr);
}

TEST_P(PeersTest, AFullTableRefuses) {
    Table small(store, {.call_memory = 600s, .max_peers = 1});
    small.registered(nat(), "a", 60s, now);
    small.registered(*Address::parse("198.51.100.1"), "b", 60s, now);
    EXPECT_EQ(small.refused(), 1U);
    EXPECT_FALSE(small.add_trunk(*Address::parse("198.51.100.1"), now));
    EXPECT_EQ(store.map.size(), 1U);
    store.full = true;
    small.registered(nat(), "c", 60s, now);
    EXPECT_EQ(small.refused(), 3U);
}

} // namespace
} // namespace stem::peers
