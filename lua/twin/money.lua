-- lua/twin/money.lua
-- Amounts of money: whole numbers of nano-dollars, exact up to nine million dollars.

local native = ...

local money = {
  usd = native.usd,
  format = native.format,
}

-- `share` per cent of an amount, rounded down. Split so that no product leaves the whole
-- numbers a Lua number holds exactly.
function money.per_cent(amount, share)
  if amount == math.huge then
    return amount
  end
  local hundreds = math.floor(amount / 100)
  return hundreds * share + math.floor((amount - hundreds * 100) * share / 100)
end

return money
