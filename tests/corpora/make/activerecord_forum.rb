# frozen_string_literal: true

# A forum with a blog as ActiveRecord reads it: boards, topics, posts, moderation, notifications, statistics.

require "uri"
require "active_record"

POSTGRES = ENV["ENGINE"] == "postgres"
url = URI(ENV["DATABASE_URL"])
ActiveRecord::Base.establish_connection(
  adapter: POSTGRES ? "postgresql" : "mysql2", host: url.host, port: url.port, username: url.user,
  password: url.password, database: url.path.delete_prefix("/"), prepared_statements: true
)
ActiveRecord::Schema.verbose = false
JSON_TYPE = POSTGRES ? :jsonb : :json

ActiveRecord::Schema.define do
  enable_extension "citext" if POSTGRES
  enable_extension "pg_trgm" if POSTGRES
  create_table(:users) do |t|
    POSTGRES ? t.citext(:email, null: false) : t.string(:email, null: false)
    t.string :username, null: false, limit: 40, index: { unique: true }
    t.integer :trust_level, default: 0
    t.boolean :admin, default: false
    t.datetime :last_seen_at, precision: 6
    t.date :birthday
    t.column :preferences, JSON_TYPE
    t.datetime :suspended_till, precision: 6
    t.timestamps precision: 6
  end
  create_table(:boards) do |t|
    t.string :name, null: false
    t.string :slug, null: false
    t.references :parent, foreign_key: { to_table: :boards }
    t.integer :position, default: 0
    t.integer :topics_count, default: 0
    t.integer :permission, default: 0
  end
  create_table(:topics) do |t|
    t.references :board, null: false, foreign_key: true
    t.references :user, null: false, foreign_key: true
    t.string :title, null: false
    t.string :slug
    t.boolean :pinned, default: false
    t.boolean :closed, default: false
    t.integer :views, default: 0
    t.integer :posts_count, default: 0
    t.datetime :bumped_at, precision: 6
    t.datetime :deleted_at, precision: 6
    t.text :labels, array: true, default: [] if POSTGRES
    t.timestamps precision: 6
  end
  create_table(:posts) do |t|
    t.references :topic, null: false, foreign_key: true
    t.references :user, null: false, foreign_key: true
    t.references :reply_to, foreign_key: { to_table: :posts }
    t.integer :number, null: false
    t.text :raw, null: false
    t.integer :likes_count, default: 0
    t.datetime :deleted_at, precision: 6
    t.timestamps precision: 6
  end
  create_table(:tags) { |t| t.string :name, null: false }
  create_table(:taggings) do |t|
    t.references :tag, foreign_key: true
    t.references :topic, foreign_key: true
  end
  create_table(:likes) do |t|
    t.references :user, foreign_key: true
    t.references :likeable, polymorphic: true
    t.datetime :created_at, precision: 6
  end
  create_table(:notifications) do |t|
    t.references :user, foreign_key: true
    t.string :kind, limit: 30
    t.boolean :read, default: false
    t.column :data, JSON_TYPE
    t.datetime :created_at, precision: 6
  end
  create_table(:groups) { |t| t.string :name }
  create_table(:group_users) do |t|
    t.references :group, foreign_key: true
    t.references :user, foreign_key: true
    t.boolean :owner, default: false
  end
  create_table(:events) do |t|
    t.string :title
    t.time :starts
    t.date :day
    t.decimal :fee, precision: 8, scale: 2
  end
end

class Record < ActiveRecord::Base
  self.abstract_class = true
end

class User < Record
  has_many :topics
  has_many :posts
  has_many :notifications
  has_many :group_users
  has_many :groups, through: :group_users
  has_many :likes
  validates :username, uniqueness: { case_sensitive: false }
  scope :seen_since, ->(time) { where(last_seen_at: time..) }
end

class Board < Record
  belongs_to :parent, class_name: "Board", optional: true
  has_many :children, class_name: "Board", foreign_key: :parent_id
  has_many :topics
  enum permission: { everyone: 0, members: 1, staff: 2 }
end

class Topic < Record
  belongs_to :board
  belongs_to :user
  has_many :posts
  has_many :taggings
  has_many :tags, through: :taggings
  has_many :likes, as: :likeable
  scope :listed, -> { where(deleted_at: nil) }
  scope :hot, -> { listed.order(pinned: :desc, bumped_at: :desc) }
end

class Post < Record
  belongs_to :topic
  belongs_to :user
  belongs_to :reply_to, class_name: "Post", optional: true
  has_many :replies, class_name: "Post", foreign_key: :reply_to_id
  has_many :likes, as: :likeable
end

class Tag < Record
  has_many :taggings
  has_many :topics, through: :taggings
end
class Tagging < Record
  belongs_to :tag
  belongs_to :topic
end
class Like < Record
  belongs_to :user
  belongs_to :likeable, polymorphic: true
end
class Notification < Record
  belongs_to :user
  scope :unread, -> { where(read: false) }
end
class Group < Record
  has_many :group_users
  has_many :users, through: :group_users
end
class GroupUser < Record
  belongs_to :group
  belongs_to :user
end
class Event < Record; end

ada = User.create!(email: "Ada@example.test", username: "ada", last_seen_at: Time.now, preferences: { theme: "dark", mail: { digest: true } })
bob = User.create!(email: "bob@example.test", username: "bob", last_seen_at: Time.now - 86_400 * 40, preferences: {})
board = Board.create!(name: "General", slug: "general")
Board.create!(name: "Sub", slug: "sub", parent: board)
topic = Topic.create!(board: board, user: ada, title: "Welcome here", bumped_at: Time.now)
post = topic.posts.create!(user: ada, number: 1, raw: "Hello all")
topic.posts.create!(user: bob, number: 2, raw: "Hi", reply_to: post)
topic.tags << Tag.create!(name: "intro")
Like.create!(user: bob, likeable: post)
ada.notifications.create!(kind: "liked", data: { post_id: post.id })
GroupUser.create!(group: Group.create!(name: "staff"), user: ada, owner: true)
Event.create!(title: "Meeting", starts: "18:00", day: Date.today, fee: 12.5)

ActiveRecord::Base.connection.execute(ENV["MARK"])
month = 30.days.ago
reads = [
  -> { User.find(1) },
  -> { User.find_by(email: "ada@example.test") },
  -> { User.find_by("lower(username) = ?", "ada") },
  -> { User.new(username: "Ada", email: "x").valid? },
  -> { User.exists?(username: "eve") },
  -> { User.where(admin: true).or(User.where("trust_level >= ?", 4)).order(:username).load },
  -> { User.seen_since(5.minutes.ago).count },
  -> { User.where(suspended_till: Time.now..).pluck(:id, :username) },
  -> { User.where.not(suspended_till: nil).limit(50).offset(100).load },
  -> { User.where("birthday IS NOT NULL AND extract(month from birthday) = ? AND extract(day from birthday) = ?", 11, 30).load },
  -> { User.joins(:groups).where(groups: { name: "staff" }).distinct.load },
  -> { User.left_joins(:posts).group(:id).select("users.*, COUNT(posts.id) AS posts_total").order("posts_total DESC").limit(10).load },
  -> { User.where("username LIKE ?", "#{User.sanitize_sql_like("a_d")}%").limit(8).load },
  -> { User.find(1).groups.to_a },
  -> { User.find(1).notifications.unread.order(created_at: :desc).limit(20).to_a },
  -> { User.find(1).notifications.unread.count },
  -> { User.where(id: Post.where(created_at: month..).select(:user_id)).count },
  -> { User.where.missing(:posts).load },
  -> { User.group(:trust_level).count },
  -> { User.maximum(:last_seen_at) },
  -> { User.pick(Arel.sql("count(*), max(created_at)")) },
  -> { User.in_batches(of: 1) { |batch| batch.pluck(:id) } },
  -> { User.find_each(batch_size: 100, &:id) },
  -> { Board.where(parent_id: nil).order(:position, :id).includes(:children).to_a },
  -> { Board.find_by!(slug: "general").topics.hot.limit(30).to_a },
  -> { Board.everyone.pluck(:id) },
  -> { Board.joins(:topics).group("boards.id", "boards.name").select("boards.name, MAX(topics.bumped_at) AS last_bump, SUM(topics.posts_count) AS posts").to_a },
  -> { Topic.hot.includes(:user, :board, :tags).limit(30).to_a },
  -> { Topic.eager_load(:user, :tags).where(tags: { name: "intro" }).to_a },
  -> { Topic.listed.where(board_id: [1, 2, 3]).where("bumped_at < ?", Time.now).order(bumped_at: :desc, id: :desc).limit(30).to_a },
  -> { Topic.listed.where("title LIKE :q OR slug LIKE :q", q: "%wel%").to_a },
  -> { Topic.joins(:posts).merge(Post.where(user_id: 2)).distinct.to_a },
  -> { Topic.where(closed: false, pinned: true).exists? },
  -> { Topic.find(1).posts.where(deleted_at: nil).order(:number).includes(:user).limit(20).to_a },
  -> { Topic.find(1).tags.pluck(:name) },
  -> { Topic.find(1).posts.count },
  -> { Topic.find(1).posts.last },
  -> { Topic.where(created_at: 1.week.ago..Time.now).order(views: :desc).limit(5).to_a },
  -> { Topic.where("bumped_at > CURRENT_TIMESTAMP - INTERVAL '7' DAY").count },
  -> { Topic.group("DATE(created_at)").count },
  -> { Topic.group("EXTRACT(YEAR FROM created_at)", "EXTRACT(MONTH FROM created_at)").order(Arel.sql("1, 2")).count },
  -> { Topic.joins(:user).select("topics.id, topics.title, users.username AS author, COALESCE(topics.slug, topics.title) AS path").to_a },
  -> { Topic.select("topics.*, (SELECT COUNT(*) FROM posts p WHERE p.topic_id = topics.id AND p.deleted_at IS NULL) AS replies").to_a },
  -> { Topic.where(Post.where("posts.topic_id = topics.id").where(user_id: 1).arel.exists).to_a },
  -> { Topic.order(Arel.sql("CASE WHEN pinned THEN 0 ELSE 1 END, bumped_at DESC")).limit(10).to_a },
  -> { Topic.listed.average(:views).to_f },
  -> { Topic.having("COUNT(*) > 0").group(:user_id).sum(:views) },
  -> { Topic.unscoped.where.not(deleted_at: nil).ids },
  -> { Topic.order(Arel.sql(POSTGRES ? "random()" : "rand()")).limit(3).to_a },
  -> { Post.where(topic_id: 1, number: 1..20).order(:number).to_a },
  -> { Post.where(id: [1, 2]).includes(:likes, replies: :user).to_a },
  -> { Post.joins(:likes).group("posts.id").order("COUNT(likes.id) DESC").limit(5).pluck("posts.id", Arel.sql("COUNT(likes.id)")) },
  -> { Post.where("created_at >= ? AND created_at < ?", Date.yesterday, Date.today).group(:user_id).count },
  -> { Post.from(Post.select("posts.*, ROW_NUMBER() OVER (PARTITION BY topic_id ORDER BY likes_count DESC, id) AS place"), :posts).where("place <= 2").to_a },
  -> { Post.where(topic_id: Topic.listed.where(board_id: 1)).maximum(:id) },
  -> { Post.find_by_sql(["SELECT p.*, t.title FROM posts p JOIN topics t ON t.id = p.topic_id WHERE p.raw LIKE ? ORDER BY p.id DESC LIMIT 10", "%hello%"]) },
  -> { Post.find(1).replies.to_a },
  -> { Post.find(2).reply_to },
  -> { Post.connection.select_all("WITH RECURSIVE thread(id, reply_to_id, depth) AS (SELECT id, reply_to_id, 0 FROM posts WHERE id = 1 UNION ALL SELECT p.id, p.reply_to_id, depth + 1 FROM posts p JOIN thread ON p.reply_to_id = thread.id) SELECT * FROM thread ORDER BY depth") },
  -> { Like.where(user_id: 2, likeable_type: "Post", likeable_id: [1, 2]).pluck(:likeable_id) },
  -> { Like.includes(:likeable).limit(10).to_a },
  -> { Like.where(likeable: Post.first).count },
  -> { Tag.joins(:taggings).group(:name).order(Arel.sql("COUNT(*) DESC"), :name).limit(20).count },
  -> { Tag.where(name: %w[intro news]).pluck(:id) },
  -> { Notification.where(user_id: 1).group(:kind, :read).count },
  -> { Notification.select(:kind).distinct.order(:kind).pluck(:kind) },
  -> { Event.where(day: Date.today..).order(:day, :starts).to_a },
  -> { Event.where(starts: "17:00".."20:00").to_a },
  -> { Event.where("day = CURRENT_DATE").to_a },
  -> { Event.sum(:fee) },
  -> { Event.pluck(:title, Arel.sql("ROUND(fee * 1.19, 2)")) },
  -> { GroupUser.where(owner: true).includes(:user, :group).to_a },
  -> { User.where(id: 1).or(User.where(id: 2)).and(User.where(admin: false)).to_a },
]
reads += if POSTGRES
  [
    -> { User.where("username ILIKE ?", "a%").limit(5).to_a },
    -> { User.where("preferences @> ?", { theme: "dark" }.to_json).to_a },
    -> { User.where("preferences->>'theme' = ?", "dark").count },
    -> { User.where("(preferences #>> '{mail,digest}')::boolean").pluck(:id) },
    -> { User.group("date_trunc('week', created_at)").count },
    -> { User.group("to_char(created_at, 'YYYY-MM')").count },
    -> { User.where("last_seen_at > now() - interval '15 minutes'").count },
    -> { User.select("DISTINCT ON (trust_level) *").order(:trust_level, last_seen_at: :desc).to_a },
    -> { Topic.where("'hot' = ANY(labels)").to_a },
    -> { Topic.where("labels && ARRAY[?]::text[]", %w[hot new]).to_a },
    -> { Topic.where("to_tsvector('english', title) @@ plainto_tsquery('english', ?)", "welcome").to_a },
    -> { Topic.where("title % ?", "welcom").order(Arel.sql("similarity(title, 'welcom') DESC")).to_a },
    -> { Topic.pluck(Arel.sql("unnest(labels)")) },
    -> { Topic.joins(:tags).group(:id).pluck(:id, Arel.sql("array_agg(tags.name ORDER BY tags.name)"), Arel.sql("string_agg(tags.name, ',')")) },
    -> { Topic.connection.select_values("SELECT json_agg(json_build_object('id', id, 'title', title)) FROM topics WHERE deleted_at IS NULL") },
    -> { Topic.group("(created_at AT TIME ZONE 'UTC' AT TIME ZONE 'Europe/Berlin')::date").count },
    -> { Post.group("extract(dow from created_at)").count },
    -> { Post.pluck(Arel.sql("extract(epoch from created_at)::bigint")) },
    -> { Post.select("*, ts_rank(to_tsvector('simple', raw), q) AS rank").from("posts, websearch_to_tsquery('simple', 'hello') q").where("to_tsvector('simple', raw) @@ q").order("rank DESC").to_a },
    -> { Post.connection.select_all("SELECT d.day::date, COUNT(p.id) FROM generate_series(current_date - 29, current_date, '1 day') AS d(day) LEFT JOIN posts p ON p.created_at::date = d.day::date GROUP BY 1 ORDER BY 1") },
    -> { Notification.where("data->'post_id' = ?", "1").to_a },
    -> { Notification.where("data ? 'post_id'").count },
    -> { Notification.where(created_at: 1.day.ago..).pluck(Arel.sql("data #>> '{post_id}'")) },
    -> { Post.where("age(now(), created_at) > interval '1 year'").count },
    -> { Topic.where("posts_count % 10 = 0").count },
    -> { Topic.pluck(Arel.sql("concat_ws('/', 't', slug, id)")) },
    -> { Topic.pluck(Arel.sql("greatest(bumped_at, updated_at)"), Arel.sql("left(title, 20)")) },
  ]
else
  [
    -> { User.where("preferences->>'$.theme' = ?", "dark").count },
    -> { User.group("DATE_FORMAT(created_at, '%Y-%m')").count },
    -> { User.where("last_seen_at > DATE_SUB(NOW(), INTERVAL 15 MINUTE)").count },
    -> { User.where("MONTH(birthday) = ? AND DAY(birthday) = ?", 4, 2).to_a },
    -> { User.order(Arel.sql("FIELD(id, 2, 1)")).where(id: [1, 2]).to_a },
    -> { Topic.joins(:tags).group(:id).pluck(:id, Arel.sql("GROUP_CONCAT(tags.name ORDER BY tags.name SEPARATOR ',')")) },
    -> { Topic.group("YEARWEEK(created_at, 3)").count },
    -> { Topic.pluck(Arel.sql("CONCAT_WS('/', 't', slug, id)"), Arel.sql("UNIX_TIMESTAMP(created_at)")) },
    -> { Post.where("DATE(created_at) = CURDATE()").count },
    -> { Post.where("TIMESTAMPDIFF(DAY, created_at, ?) > 30", Time.now).count },
    -> { Post.group("HOUR(CONVERT_TZ(created_at, '+00:00', '+01:00'))").count },
    -> { Event.pluck(Arel.sql("TIME_FORMAT(starts, '%H:%i')"), :title) },
    -> { Event.where("ADDTIME(starts, '01:00:00') > ?", "18:30").to_a },
    -> { Notification.where("JSON_EXTRACT(data, '$.post_id') = ?", 1).to_a },
    -> { Notification.pluck(Arel.sql("IF(`read`, 'seen', 'new')"), Arel.sql("IFNULL(kind, '-')")) },
    -> { Post.from("posts FORCE INDEX (index_posts_on_topic_id)").where("posts.topic_id = 1").count },
    -> { Post.where("raw REGEXP ?", "^H").count },
  ]
end
failed = 0
reads.each_with_index do |read, number|
  read.call
rescue StandardError => e
  failed = 1
  warn "read #{number}: #{e.message[0, 500]}"
end
exit failed
