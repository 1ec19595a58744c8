# frozen_string_literal: true

# Books of account as Sequel reads them: accounts, postings, balances, statements, budgets, currencies, closing.

require "sequel"

POSTGRES = ENV["ENGINE"] == "postgres"
DB = Sequel.connect(ENV["DATABASE_URL"].sub("mysql:", "mysql2:"))
DB.extension :pg_json, :pg_array, :pg_range if POSTGRES
Sequel.extension :core_refinements
Sequel::Model.plugin :tactical_eager_loading

DB.create_table(:accounts) do
  primary_key :id
  String :code, size: 20, unique: true, null: false
  String :name, null: false
  String :kind, size: 12
  foreign_key :parent_id, :accounts
  String :currency, size: 3, default: "EUR"
  TrueClass :closed, default: false
  column :data, POSTGRES ? :jsonb : :json
end
DB.create_table(:entries) do
  primary_key :id, type: :Bignum
  Date :booked_on, null: false
  Date :value_on
  String :text
  String :reference, size: 40
  Time :created_at, default: Sequel::CURRENT_TIMESTAMP
  column :tags, "text[]" if POSTGRES
end
DB.create_table(:postings) do
  primary_key :id, type: :Bignum
  foreign_key :entry_id, :entries, type: :Bignum
  foreign_key :account_id, :accounts
  BigDecimal :amount, size: [14, 2], null: false
end
DB.create_table(:rates) do
  String :currency, size: 3
  Date :day
  BigDecimal :rate, size: [12, 6]
  primary_key %i[currency day]
end
DB.create_table(:budgets) do
  primary_key :id
  foreign_key :account_id, :accounts
  Integer :year
  Integer :month
  BigDecimal :amount, size: [14, 2]
end
class Account < Sequel::Model
  many_to_one :parent, class: self
  one_to_many :children, class: self, key: :parent_id
  one_to_many :postings
  one_to_many :budgets
end
class Entry < Sequel::Model
  one_to_many :postings
  many_to_many :accounts, join_table: :postings
end
class Posting < Sequel::Model
  many_to_one :entry
  many_to_one :account
end
class Budget < Sequel::Model
  many_to_one :account
end

assets = Account.create(code: "1", name: "Assets", kind: "asset")
bank = Account.create(code: "12", name: "Bank", kind: "asset", parent: assets)
costs = Account.create(code: "6", name: "Costs", kind: "cost")
entry = Entry.create(booked_on: Date.today, value_on: Date.today, text: "Rent", reference: "R-1")
Posting.create(entry: entry, account: bank, amount: -500)
Posting.create(entry: entry, account: costs, amount: 500)
DB[:rates].insert(currency: "USD", day: Date.today, rate: 1.08)
Budget.create(account: costs, year: 2026, month: 11, amount: 600)
DB.get(Sequel.lit("'corpora: reads begin'"))

month = Date.new(2026, 11, 1)..Date.new(2026, 11, 30)
sum = Sequel.function(:sum, :amount)
reads = [
  -> { Account[1] },
  -> { Account.first(code: "12") },
  -> { Account.where(closed: false).order(:code).all },
  -> { Account.where(parent_id: nil).eager(:children).all },
  -> { Account.eager_graph(:postings).where(kind: "asset").all },
  -> { Account.where(Sequel.ilike(:name, "%ba%")).limit(10).all },
  -> { Account.exclude(kind: %w[asset cost]).count },
  -> { Account.where(id: Posting.select(:account_id)).select_map(:code) },
  -> { Account.association_join(:postings).group(Sequel[:accounts][:id], :code).select(:code) { sum(:amount).as(:balance) }.all },
  -> { Account.left_join(:postings, account_id: :id).group(Sequel[:accounts][:code]).select(Sequel[:accounts][:code], Sequel.function(:coalesce, sum, 0).as(:balance)).order(:code).all },
  -> { Account.where(Posting.where(account_id: Sequel[:accounts][:id]).exists).all },
  -> { Account.select(:code, Sequel.case([[{ kind: "asset" }, "A"], [{ kind: "cost" }, "C"]], "?").as(:letter)).all },
  -> { Account.select(Sequel.join([:code, :name], " ").as(:label)).all },
  -> { Account.group_and_count(:kind).having { count.function.* > 0 }.all },
  -> { bank.parent },
  -> { bank.postings_dataset.order(Sequel.desc(:id)).limit(50).all },
  -> { Entry.where(booked_on: month).order(:booked_on, :id).eager(postings: :account).all },
  -> { Entry.where { booked_on >= Date.today - 30 }.count },
  -> { Entry.where { booked_on <= Sequel::CURRENT_DATE }.max(:booked_on) },
  -> { Entry.where(Sequel.like(:text, "Re%") | { reference: "R-1" }).first },
  -> { Entry.order(:booked_on).limit(25, 25).all },
  -> { Entry.where { id < 1000 }.reverse(:id).limit(25).select(:id, :text).all },
  -> { Entry.select(Sequel.extract(:year, :booked_on).as(:y), Sequel.extract(:month, :booked_on).as(:m)).distinct.all },
  -> { Entry.join(:postings, entry_id: :id).where(account_id: 2).select(:booked_on, :text, :amount, sum.over(order: [:booked_on, Sequel[:entries][:id]]).as(:running)).all },
  -> { Entry.exclude(Posting.where(entry_id: Sequel[:entries][:id]).exists).select_map(:id) },
  -> { Entry.join(:postings, entry_id: :id).group(Sequel[:entries][:id]).having { sum(:amount) !~ 0 }.select(Sequel[:entries][:id]).all },
  -> { Posting.association_join(:entry).where(booked_on: month).select_group(:account_id).select_append { sum(:amount).as(:total) }.all },
  -> { Posting.where { amount > 0 }.avg(:amount) },
  -> { Posting.where(account_id: [2, 3]).sum(:amount) },
  -> { Posting.select { [max(:amount).as(:most), min(:amount).as(:least), count.function.*.as(:n)] }.first },
  -> { Posting.select(Sequel.function(:round, Sequel[:amount] * 0.19, 2).as(:tax)).all },
  -> { Posting.select(:id, Sequel.function(:row_number).over(partition: :account_id, order: Sequel.desc(:amount)).as(:place)).from_self.where { place <= 3 }.all },
  -> { DB[:rates].where(currency: "USD").where { day <= Date.today }.order(Sequel.desc(:day)).get(:rate) },
  -> { DB[:rates].where(currency: "USD", day: DB[:rates].select { max(:day) }).first },
  -> { Budget.where(year: 2026).eager(:account).all },
  -> { Budget.join(:postings, account_id: :account_id).join(:entries, id: Sequel[:postings][:entry_id]).where(Sequel[:budgets][:month] => Sequel.extract(:month, :booked_on)).select_group(Sequel[:budgets][:id]).select_append { sum(Sequel[:postings][:amount]).as(:spent) }.all },
  -> { DB[:tree].with_recursive(:tree, DB[:accounts].where(parent_id: nil).select(:id, :code, Sequel.as(0, :depth)), DB[:accounts].join(:tree, id: :parent_id).select(Sequel[:accounts][:id], Sequel[:accounts][:code], Sequel[:tree][:depth] + 1)).order(:code).all },
  -> { Account.select(:code).union(Entry.select(:reference)).all },
]
reads += if POSTGRES
  [
    -> { Entry.select_group(Sequel.function(:date_trunc, "month", :booked_on)).select_append { count.function.*.as(:n) }.all },
    -> { Entry.select(Sequel.function(:to_char, :booked_on, "YYYY-MM").as(:m)).distinct.all },
    -> { Entry.where { created_at > Sequel.lit("now() - interval '1 day'") }.all },
    -> { Entry.distinct(:reference).order(:reference, Sequel.desc(:booked_on)).all },
    -> { Entry.where(Sequel.lit("tags @> ARRAY['rent']::text[]")).all },
    -> { Entry.select_group(:booked_on).select_append(Sequel.lit("string_agg(text, ', ' ORDER BY id)").as(:texts)).all },
    -> { Account.where(Sequel.lit("data->>'iban' = ?", "DE1")).all },
    -> { Account.select(:code, Sequel.lit("jsonb_build_object('code', code, 'name', name)").as(:doc)).all },
    -> { Entry.select(Sequel.lit("value_on - booked_on").as(:float)).all },
    -> { DB["SELECT d::date AS day, coalesce(sum(p.amount), 0) AS flow FROM generate_series(?::date, ?::date, interval '1 day') d LEFT JOIN entries e ON e.booked_on = d::date LEFT JOIN postings p ON p.entry_id = e.id GROUP BY 1 ORDER BY 1", Date.new(2026, 11, 1), Date.new(2026, 11, 30)].all },
    -> { DB["SELECT date_part('quarter', booked_on) AS q, sum(amount) FROM entries JOIN postings ON postings.entry_id = entries.id WHERE booked_on >= date_trunc('year', current_date) GROUP BY 1"].all },
    -> { DB["SELECT a.code, sum(p.amount) FROM postings p JOIN accounts a ON a.id = p.account_id GROUP BY ROLLUP (a.code)"].all },
  ]
else
  [
    -> { Entry.select_group(Sequel.function(:date_format, :booked_on, "%Y-%m").as(:m)).select_append { count.function.*.as(:n) }.all },
    -> { Entry.where(Sequel.lit("created_at > NOW() - INTERVAL 1 DAY")).all },
    -> { Entry.select_group(:booked_on).select_append(Sequel.lit("GROUP_CONCAT(text ORDER BY id)").as(:texts)).all },
    -> { Entry.select(Sequel.function(:datediff, :value_on, :booked_on).as(:float)).all },
    -> { Account.where(Sequel.lit("JSON_UNQUOTE(JSON_EXTRACT(data, '$.iban')) = ?", "DE1")).all },
    -> { DB["SELECT QUARTER(booked_on) AS q, SUM(amount) AS total FROM entries JOIN postings ON postings.entry_id = entries.id WHERE booked_on >= MAKEDATE(YEAR(CURDATE()), 1) GROUP BY q"].all },
    -> { DB["SELECT a.code, SUM(p.amount) AS total FROM postings p JOIN accounts a ON a.id = p.account_id GROUP BY a.code WITH ROLLUP"].all },
  ]
end
failed = 0
reads.each_with_index do |read, number|
  read.call
rescue StandardError => e
  failed = 1
  warn "read #{number}: #{e.message[0, 400]}"
end
exit failed
